//! The dialect, statement by statement: what bytes it makes and what it says about mistakes.

use std::fmt::Write as _;

use pagefault_asm::{
    Assembled, Content, Diagnostic, DiagnosticKind, LinkError, LinkOptions, NoIncludes, Options,
    PeOptions, Rights, SymbolPlace, assemble, link, listing, write_coff, write_pe,
};

#[test]
fn instructions_have_the_encodings_that_masm_chooses() {
    let cases: &[(&str, &[u8])] = &[
        ("mov ebp,esp", &[0x8B, 0xEC]),
        ("xor eax,eax", &[0x33, 0xC0]),
        ("mov eax,ds:[1000h]", &[0xA1, 0x00, 0x10, 0x00, 0x00]),
        ("lea edx,ds:[1000h]", &[0x8D, 0x15, 0x00, 0x10, 0x00, 0x00]),
        ("push -1", &[0x6A, 0xFF]),
        ("push 80h", &[0x68, 0x80, 0x00, 0x00, 0x00]),
        ("add esp,-128", &[0x83, 0xC4, 0x80]),
        ("and ax,0FFF0h", &[0x66, 0x83, 0xE0, 0xF0]),
        ("add eax,1000", &[0x05, 0xE8, 0x03, 0x00, 0x00]),
        ("cmp al,-1", &[0x3C, 0xFF]),
        ("imul eax,5", &[0x6B, 0xC0, 0x05]),
        ("xchg al,ah", &[0x86, 0xC4]),
        ("xchg ecx,eax", &[0x91]),
        ("mov eax,[esi+ebx]", &[0x8B, 0x04, 0x33]),
        ("mov eax,[ebx][esi*4]", &[0x8B, 0x04, 0xB3]),
        ("mov eax,[esp+ecx]", &[0x8B, 0x04, 0x0C]),
        ("mov fs:[0],esp", &[0x64, 0x89, 0x25, 0, 0, 0, 0]),
        ("push fs:[0]", &[0x64, 0xFF, 0x35, 0, 0, 0, 0]),
        ("pop fs:[0]", &[0x64, 0x8F, 0x05, 0, 0, 0, 0]),
        ("rep movsw", &[0xF3, 0x66, 0xA5]),
        ("lods byte ptr es:[esi]", &[0x26, 0xAC]),
        ("int 3", &[0xCC]),
        ("ret 0", &[0xC3]),
        ("fadd", &[0xDE, 0xC1]),
        ("fstsw ax", &[0x9B, 0xDF, 0xE0]),
        ("fxch", &[0xD9, 0xC9]),
        ("mov ds,ax", &[0x8E, 0xD8]),
        ("lock inc dword ptr [esi]", &[0xF0, 0xFF, 0x06]),
        ("movsd xmm0,xmm1", &[0xF2, 0x0F, 0x10, 0xC1]),
        ("movsd", &[0xA5]),
    ];
    for (statement, expected) in cases {
        assert_eq!(code(statement), *expected, "{statement}");
    }
}

#[test]
fn data_definitions_fill_their_section_in_order() {
    let cases: &[(&str, &[u8])] = &[
        ("db 'AB',\"it's\",0", b"ABit's\0"),
        ("dw 'AB',-1", &[0x42, 0x41, 0xFF, 0xFF]),
        ("dd 'ABCD'", b"DCBA"),
        ("db 2 dup (1,2 dup (3))", &[1, 3, 3, 1, 3, 3]),
        ("real4 1.0,-2.5", &[0, 0, 0x80, 0x3F, 0, 0, 0x20, 0xC0]),
        ("real10 -1.0", &[0, 0, 0, 0, 0, 0, 0, 0x80, 0xFF, 0xBF]),
        (
            "dt 0AABBCCDDEEFF11223344h",
            &[0x44, 0x33, 0x22, 0x11, 0xFF, 0xEE, 0xDD, 0xCC, 0xBB, 0xAA],
        ),
        (
            "db 7 mod 4,1 shl 3,not 0 and 0Fh,5 gt 3",
            &[3, 8, 0x0F, 0xFF],
        ),
        (
            "x db 1,2,3\n db $-x,sizeof x,lengthof x",
            &[1, 2, 3, 3, 3, 3],
        ),
        (
            "s struct\n a db 7\n b dw ?\n s ends\n y s <,5>,<1>",
            &[7, 5, 0, 1, 0, 0],
        ),
        (
            "r record f:3=1,g:5\n r <,3>\n db mask f,width g",
            &[0x23, 0xE0, 5],
        ),
        (
            "u union\n a dw 1234h\n b db ?\n u ends\n u <>",
            &[0x34, 0x12],
        ),
    ];
    for (statement, expected) in cases {
        let assembled = good(&format!(".data\n{statement}\n"));
        assert_eq!(section(&assembled, ".data"), *expected, "{statement}");
    }
}

#[test]
fn data_behind_an_org_that_goes_back_replace_what_they_cover() {
    let cases: &[(&str, &[u8])] = &[
        ("b db 0 dup (9)", &[1, 2, 3, 4, 5]),
        ("b dd 0 dup (a,9)", &[1, 2, 3, 4, 5]),
        ("b db 2 dup (9)", &[9, 9, 3, 4, 5]),
        ("b db 3 dup (0)", &[0, 0, 0, 4, 5]),
        ("b db 3 dup (?)", &[1, 2, 3, 4, 5]),
        ("b db 3 dup (?,9)", &[1, 9, 3, 9, 5, 9]),
        ("b db 7 dup (0)", &[0; 7]),
        ("b db 7 dup (?)", &[1, 2, 3, 4, 5, 0, 0]),
    ];
    for (statement, expected) in cases {
        let assembled = good(&format!(".data\na db 1,2,3,4,5\norg a\n{statement}\n"));
        assert_eq!(section(&assembled, ".data"), *expected, "{statement}");
    }
}

#[test]
fn values_that_are_repeated_no_times_have_to_be_right() {
    let wrong = bad(".data\na db 0 dup (1,300)\n");

    let kinds: Vec<_> = wrong.iter().map(|known| known.kind.clone()).collect();
    assert_eq!(kinds, [DiagnosticKind::InitializerTooLarge { size: 1 }]);
}

#[test]
fn conditions_jump_over_their_block_with_the_shortest_code() {
    assert_eq!(code(".if eax\nnop\n.endif"), [0x0B, 0xC0, 0x74, 0x01, 0x90]);
    assert_eq!(
        code(".if eax==5\nnop\n.endif"),
        [0x83, 0xF8, 0x05, 0x75, 0x01, 0x90]
    );
    assert_eq!(
        code(".if sdword ptr eax<5\nnop\n.endif"),
        [0x83, 0xF8, 0x05, 0x7D, 0x01, 0x90]
    );
    assert_eq!(
        code(".if !(al & 1)\nnop\n.endif"),
        [0xA8, 0x01, 0x75, 0x01, 0x90]
    );
    assert_eq!(code(".while 1\n.break\n.endw"), [0xEB, 0x02, 0xEB, 0xFC]);
    assert_eq!(code(".repeat\n.untilcxz"), [0xE2, 0xFE]);
    let or = [0x0B, 0xC0, 0x75, 0x04, 0x0B, 0xDB, 0x74, 0x01, 0x90];
    assert_eq!(code(".if eax || ebx\nnop\n.endif"), or);
}

#[test]
fn a_jump_grows_only_when_its_target_is_out_of_reach() {
    assert_eq!(code("jmp x\ndb 127 dup (0)\nx:")[..2], [0xEB, 127]);
    assert_eq!(code("jmp x\ndb 128 dup (0)\nx:")[..5], [0xE9, 128, 0, 0, 0]);
    assert_eq!(
        code("jz x\ndb 128 dup (0)\nx:")[..6],
        [0x0F, 0x84, 128, 0, 0, 0]
    );
}

#[test]
fn a_procedure_gets_its_frame_and_gives_back_its_arguments() {
    let body =
        "p proc uses ebx a:DWORD,b:BYTE\nlocal x:BYTE,y:DWORD\nmov al,x\nmov eax,y\nret\np endp";

    let expected = [
        0x55, 0x8B, 0xEC, 0x83, 0xC4, 0xF8, 0x53, 0x8A, 0x45, 0xFF, 0x8B, 0x45, 0xF8, 0x5B, 0xC9,
        0xC2, 0x08, 0x00,
    ];
    assert_eq!(code(body), expected);
}

#[test]
fn the_kind_of_an_operand_is_a_number() {
    let body = "mov eax,.type ebx\nmov eax,opattr ebx\nmov eax,.TYPE (2+3)";

    let expected = [
        0xB8, 0x30, 0, 0, 0, 0xB8, 0x30, 0, 0, 0, 0xB8, 0x24, 0, 0, 0,
    ];
    assert_eq!(code(body), expected);
}

#[test]
fn macros_build_texts_and_statements() {
    let source = "
        max macro a,b
            if (a) gt (b)
                exitm <a>
            endif
            exitm <b>
        endm
        list macro first,rest:vararg
            db first
            ifnb <rest>
                list rest
            endif
        endm
        name_ catstr <ab>,<cd>
        .data
        db max(3,max(7,5)),@SizeStr(name_)
        list 1,2,3
        forc c,<xy>
            db \"&c\"
        endm
        n = 2
        while n gt 0
            db n
            n = n-1
        endm
    ";

    let assembled = good(source);

    assert_eq!(
        section(&assembled, ".data"),
        [7, 4, 1, 2, 3, b'x', b'y', 2, 1]
    );
}

#[test]
fn the_sdk_names_are_built_in() {
    let source = "
        include \\masm32\\include\\windows.inc
        include \\masm32\\include\\Kernel32.inc
        .data?
        mbi MEMORY_BASIC_INFORMATION <>
        .code
        mov eax,mbi.lType
        mov ecx,sizeof CONTEXT
        mov edx,CONTEXT.regEip
        invoke VirtualQuery,eax,addr mbi,sizeof mbi
        invoke GetModuleHandle,NULL
    ";

    let assembled = good(source);

    let names: Vec<_> = assembled
        .object
        .symbols
        .iter()
        .map(|s| s.decorated.as_str())
        .collect();
    assert!(names.contains(&"_VirtualQuery@12") && names.contains(&"_GetModuleHandleA@4"));
    let code = section(&assembled, ".text");
    assert_eq!(code[..5], [0xA1, 0x18, 0, 0, 0]);
    assert_eq!(code[5..10], [0xB9, 0xCC, 0x02, 0, 0]);
    assert_eq!(code[10..15], [0xBA, 0xB8, 0, 0, 0]);
}

#[test]
fn mistakes_are_named_with_masm_numbers_and_places() {
    let cases = [
        ("mov eax,nope", "A2006", 9),
        ("mov [eax],1", "A2023", 1),
        ("mov eax,bl", "A2022", 1),
        ("mov eax,fs:[0]", "A2108", 9),
        ("bswap eax", "A2085", 1),
        ("jmp short $+200", "A2075", 1),
        ("invoke nope,1", "A2006", 8),
        (".else", "A1011", 1),
        ("mov eax,1/0", "A2169", 9),
        ("mov eax,[eax*3]", "A2083", 1),
        ("frobnicate eax", "A2008", 1),
        ("x db 'open", "A2046", 6),
        ("mov dd 5", "A2065", 1),
        ("eax db 1", "A2065", 1),
        ("extern", "A2065", 1),
        ("public nope", "A2006", 8),
    ];
    for (statement, number, column) in cases {
        let source = program_for(".386", &format!(".code\nstart:\n{statement}\n"));
        let failure = assemble("x.asm", source.as_bytes(), &NoIncludes, &Options::default());
        let failure = failure.expect_err(statement);
        let [only] = &failure.diagnostics[..] else {
            panic!("{statement}: {:?}", failure.diagnostics)
        };
        let found = only.code().map(|code| code.to_string());
        assert_eq!(
            (found.as_deref(), only.span.line),
            (Some(number), 6),
            "{statement}"
        );
        assert_eq!(only.span.column, column, "{statement}");
    }
}

#[test]
fn a_language_that_is_not_known_is_an_error_and_not_another_one() {
    for (model, message) in [
        (".model flat,fastcall", "`fastcall` is not supported"),
        (".model flat,stdcal", "`stdcal` is not supported"),
    ] {
        let source = format!(".386\n{model}\n.code\nstart: ret\nend start\n");
        let failed = assemble(
            "test.asm",
            source.as_bytes(),
            &NoIncludes,
            &Options::default(),
        );
        let failure = failed.expect_err(model);
        let shown = failure
            .diagnostics
            .iter()
            .map(|found| found.one_line(&failure.files));
        let shown: Vec<_> = shown.collect();
        assert!(
            matches!(&shown[..], [only] if only.contains(message)),
            "{shown:?}"
        );
    }
    good_source(".386\n.model flat,stdcall,nearstack\n.code\nstart: ret\nend start\n");
}

#[test]
fn a_number_that_equ_has_set_cannot_change() {
    let lines = "same equ 1\nsame equ 1\nother equ 1\nother equ 2\n";
    let source = program_for(".386", &format!(".code\nstart:\n{lines}"));

    let failure = assemble("x.asm", source.as_bytes(), &NoIncludes, &Options::default());

    let failure = failure.unwrap_err();
    let [only] = &failure.diagnostics[..] else {
        panic!("{:?}", failure.diagnostics)
    };
    let found = only.code().map(|code| code.to_string());
    assert_eq!(found.as_deref(), Some("A2005"));
    assert_eq!((only.span.line, only.span.column), (9, 1));
}

#[test]
fn an_argument_in_eax_after_addr_of_a_local_is_the_classic_mistake() {
    let source = "
        f proto :DWORD,:DWORD
        .code
        p proc
            local x:DWORD
            invoke f,eax,addr x
            ret
        p endp
    ";

    let failure = bad(source);

    assert_eq!(
        failure[0].code().map(|code| code.to_string()).as_deref(),
        Some("A2133")
    );
    assert!(failure[0].help().is_some());
}

#[test]
fn one_run_finds_mistakes_of_all_passes() {
    let lines: Vec<_> = bad(".code\nmov eax,nope\nadd 5,eax\njmp short x\ndb 200 dup (0)\nx:\n")
        .iter()
        .map(|found| found.span.line)
        .collect();
    assert_eq!(lines, [5, 6, 7]);
}

#[test]
fn an_image_has_its_segments_imports_and_lines() {
    let source = "
        include kernel32.inc
        .data
        x dd 5
        .data?
        y dd ?
        .const
        z dd 7
        .code
        start:
        mov eax,y
        invoke ExitProcess,z
        end start
    ";
    let assembled = good_program(source);

    let image = link(&assembled.object, &LinkOptions::default()).expect("an entry point");

    let rights = |name: &str| {
        image
            .segments
            .iter()
            .find(|s| s.name == name)
            .map(|s| s.rights)
    };
    assert_eq!(rights(".text"), Some(Rights::READ | Rights::EXECUTE));
    assert_eq!(rights(".data"), Some(Rights::READ | Rights::WRITE));
    assert_eq!(rights(".bss"), Some(Rights::READ | Rights::WRITE));
    assert_eq!(rights(".rdata"), Some(Rights::READ));
    let [import] = &image.imports[..] else {
        panic!("one import: {:?}", image.imports)
    };
    assert_eq!(
        (import.name.as_str(), import.library.as_deref()),
        ("ExitProcess", Some("kernel32.dll"))
    );
    let text = &image.segments[0];
    let thunk = (import.thunk - text.addr) as usize;
    assert_eq!(text.bytes[thunk..thunk + 2], [0xFF, 0x25]);
    assert_eq!(text.bytes[thunk + 2..thunk + 6], import.slot.to_le_bytes());
    assert_eq!(
        image
            .lines
            .iter()
            .find(|line| line.addr == image.entry)
            .map(|l| l.span.line),
        Some(14)
    );
}

#[test]
fn a_program_without_entry_point_cannot_be_linked() {
    let assembled = good(".code\nnop\n");
    let result = link(&assembled.object, &LinkOptions::default());
    assert_eq!(result, Err(LinkError::NoEntry));
}

#[test]
fn externdef_makes_public_what_the_module_defines() {
    let assembled = good("externdef x:dword,y:dword,z:dword\n.data\nx dd 5\n.code\nmov eax,y\n");

    let symbols = &assembled.object.symbols;
    let places = |name: &str| {
        symbols
            .iter()
            .find(|s| s.name == name)
            .map(|s| (s.is_public, s.place))
    };
    assert_eq!(
        places("x"),
        Some((
            true,
            SymbolPlace::Defined {
                section: 1,
                offset: 0
            }
        ))
    );
    assert_eq!(places("y"), Some((true, SymbolPlace::External)));
    assert_eq!(places("z"), None);
}

#[test]
fn names_from_the_command_line_are_text_equates() {
    let defines = vec![("LEVEL".to_string(), "2+1".to_string())];
    let options = Options {
        defines,
        ..Options::default()
    };
    let source = ".386\n.model flat,stdcall\n.data\nifdef LEVEL\ndb LEVEL*2\nendif\nend\n";

    let assembled = assemble("x.asm", source.as_bytes(), &NoIncludes, &options).expect("no errors");

    assert_eq!(section(&assembled, ".data"), [4]);
}

#[test]
fn branches_that_grow_one_by_one_settle_all_the_same() {
    let mut body = String::from(".code\n");
    for number in 0..200 {
        writeln!(body, "jmp l{number}\ndb 60 dup (90h)").expect("a string takes all");
        if number >= 2 {
            writeln!(body, "l{}:", number - 2).expect("a string takes all");
        }
        body.push_str("db 2 dup (90h)\n");
    }
    body.push_str("l198:\ndb 200 dup (0)\nl199:\n");

    let assembled = good(&body);

    // The last jump is out of reach, and each longer one pushes the next target out.
    let code = section(&assembled, ".text");
    assert_eq!(code[0], 0xE9);
    assert_eq!(code.len(), 200 * (5 + 62) + 200);
}

#[test]
fn executables_objects_and_listings_are_written() {
    let assembled =
        good_program("include kernel32.inc\n.code\nstart: invoke ExitProcess,3\nend start\n");
    let image = link(&assembled.object, &LinkOptions::default()).expect("an entry point");

    let exe = write_pe(&image, &PeOptions::default()).expect("a known library");
    let coff = write_coff(&assembled.object).expect("a small object");
    let text = listing(&assembled);

    assert_eq!((&exe[..2], &exe[0x80..0x84]), (&b"MZ"[..], &b"PE\0\0"[..]));
    assert!(exe.windows(12).any(|window| window == b"kernel32.dll"));
    assert_eq!(coff[..2], [0x4C, 0x01]);
    assert!(
        text.contains("00000000  6A 03") && text.contains("push 3"),
        "{text}"
    );
    assert_eq!(assembled.object.sections[0].content, Content::Code);
}

fn program_for(cpu: &str, body: &str) -> String {
    format!("{cpu}\n.model flat,stdcall\noption casemap:none\n{body}\nend\n")
}

fn program(body: &str) -> String {
    program_for(".686p\n.xmm", body)
}

fn good(body: &str) -> Assembled {
    good_source(&program(body))
}

fn good_program(source: &str) -> Assembled {
    good_source(&format!(
        ".386\n.model flat,stdcall\noption casemap:none\n{source}"
    ))
}

fn good_source(source: &str) -> Assembled {
    match assemble("x.asm", source.as_bytes(), &NoIncludes, &Options::default()) {
        Ok(assembled) => assembled,
        Err(failure) => {
            let lines = failure
                .diagnostics
                .iter()
                .map(|d| d.one_line(&failure.files));
            panic!("{:?}\n{source}", lines.collect::<Vec<_>>())
        }
    }
}

fn bad(body: &str) -> Vec<Diagnostic> {
    let source = program_for(".386", body);
    let result = assemble("x.asm", source.as_bytes(), &NoIncludes, &Options::default());
    result.expect_err(body).diagnostics
}

fn section(assembled: &Assembled, name: &str) -> Vec<u8> {
    let section = assembled
        .object
        .sections
        .iter()
        .find(|section| section.name == name);
    section
        .map(|section| section.bytes.clone())
        .unwrap_or_default()
}

fn code(statements: &str) -> Vec<u8> {
    section(
        &good(&format!("assume fs:nothing\n.code\n{statements}\n")),
        ".text",
    )
}
