//! Directives: texts, segments, conditions, arguments of INVOKE, and what each says of a mistake.

use std::fmt::Write as _;

use pagefault_asm::{Assembled, NoIncludes, Options, assemble};

fn assembled(source: &str) -> Result<Assembled, Vec<String>> {
    let result = assemble("x.asm", source.as_bytes(), &NoIncludes, &Options::default());
    result.map_err(|failure| {
        let lines = failure.diagnostics.iter();
        lines.map(|found| found.one_line(&failure.files)).collect()
    })
}

fn program(body: &str) -> String {
    format!(".386\n.model flat,stdcall\noption casemap:none\nassume fs:nothing\n{body}\nend\n")
}

fn section(body: &str, name: &str) -> Vec<u8> {
    let assembled = assembled(&program(body)).unwrap_or_else(|lines| panic!("{body}\n{lines:#?}"));
    let sections = assembled.object.sections.iter();
    let mut found = sections.filter(|section| section.name == name);
    found
        .next()
        .map(|section| section.bytes.clone())
        .unwrap_or_default()
}

/// Compares the bytes of sections, all cases together.
fn check(name: &str, cases: &[(&str, &[u8])]) {
    let mut wrong = String::new();
    for (body, expected) in cases {
        let found = section(body, name);
        if found != *expected {
            _ = writeln!(wrong, "{body}: {found:02X?}, not {expected:02X?}");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn texts_are_cut_searched_and_measured() {
    check(
        ".data",
        &[
            (".data\nt substr <abcdef>,2,3\ndb '&t'", b"&t"),
            (".data\nt substr <123456>,2,3\ndd t", &[0xEA, 0, 0, 0]),
            (".data\nt substr <123456>,5\ndb t", &[56]),
            (".data\nn sizestr <abcd>\ndb n", &[4]),
            (".data\nn sizestr <>\ndb n", &[0]),
            (".data\nn instr <abcabc>,<c>\ndb n", &[3]),
            (".data\nn instr 4,<abcabc>,<c>\ndb n", &[6]),
            (".data\nn instr <abc>,<x>\ndb n", &[0]),
            (".data\nn instr <abc>,<>\ndb n", &[0]),
            (".data\nt catstr <1>,<2>,%3+4\ndb t", &[127]),
            (".data\nt textequ <12>\ndb t", &[12]),
            (".data\nt equ <34>\nt equ <35>\ndb t", &[35]),
            (".data\ndb @substr(<1234>,3),@sizestr(<abc>)", &[34, 3]),
            (".data\ndb @instr(,<abc>,<b>),@catstr(<1>,<2>)", &[2, 12]),
            (".data\ndb @cformat(\"a\\n\\tb\"),0", b"a\r\n\tb\0"),
            (
                ".data\ndd @line,@version,@wordsize",
                &[6, 0, 0, 0, 0x67, 2, 0, 0, 4, 0, 0, 0],
            ),
            (
                ".data\ndb @codesize,@datasize,@model,@interface",
                &[0, 0, 7, 3],
            ),
            (".data\n% db '@date',\"@time\"", b"01/01/0000:00:00"),
        ],
    );
}

#[test]
fn places_are_aligned_and_numbers_have_a_radix() {
    check(
        ".data",
        &[
            (".data\ndb 1\neven\ndb 2", &[1, 0, 2]),
            (".data\ndb 1\nalign 4\ndb 2", &[1, 0, 0, 0, 2]),
            (".data\ndb 1\nalign\ndb 2", &[1, 0, 0, 0, 2]),
            (".data\norg 3\ndb 1", &[0, 0, 0, 1]),
            (".data\na db 1\norg a+2\ndb 2", &[1, 0, 2]),
            (
                ".data\n.radix 16\ndb 10,0FFh,10t\n.radix 2\ndb 101",
                &[16, 0xFF, 10, 5],
            ),
        ],
    );
    check(
        ".text",
        &[
            (".code\nnop\nalign 2\nnop", &[0x90, 0x90, 0x90]),
            (".code\nalign 4\nret", &[0xC3]),
        ],
    );
    let filled = section(".code\nnop\nalign 16\nret", ".text");
    assert_eq!((filled.len(), filled[0], filled[16]), (17, 0x90, 0xC3));
    assert!(filled[1..16].iter().all(|&byte| byte != 0xC3));
}

#[test]
fn segments_have_their_classes() {
    for (body, name) in [
        (
            "_DATA segment dword public 'DATA'\ndb 5\n_DATA ends",
            ".data",
        ),
        (
            "_TEXT segment para public 'CODE'\ndb 5\n_TEXT ends",
            ".text",
        ),
        ("CONST segment byte readonly\ndb 5\nCONST ends", ".rdata"),
        ("own segment page 'data'\ndb 5\nown ends", "own"),
        ("own segment word \"const\"\ndb 5\nown ends", "own"),
        ("own segment\ndb 5\nown ends\nown segment\nown ends", "own"),
        (".const\ndb 5", ".rdata"),
        (".data\n.code\n.data\ndb 5", ".data"),
    ] {
        assert_eq!(section(body, name), [5], "{body}");
    }
    let size = |body: &str| {
        let assembled = assembled(&program(body)).unwrap();
        let sections = assembled.object.sections.iter();
        sections.map(|section| section.size).max()
    };
    assert_eq!(
        size("_BSS segment 'BSS'\nx dd 3 dup (?)\n_BSS ends"),
        Some(12)
    );
}

#[test]
fn conditions_decide_what_is_assembled() {
    check(
        ".data",
        &[
            (".data\nif 0\ndb 1\nelseif 1\ndb 2\nelse\ndb 3\nendif", &[2]),
            (".data\nif 0\nif 1\ndb 9\nendif\nelse\ndb 3\nendif", &[3]),
            (".data\nife 0\ndb 1\nendif", &[1]),
            (".data\nifdef nope\ndb 1\nelse\ndb 2\nendif", &[2]),
            (
                ".data\nx equ 1\nifdef x\ndb 1\nendif\nifndef x\ndb 2\nendif",
                &[1],
            ),
            (".data\nifb <>\ndb 1\nendif\nifnb <a>\ndb 2\nendif", &[1, 2]),
            (
                ".data\nifidn <a>,<a>\ndb 1\nendif\nifdif <a>,<A>\ndb 2\nendif",
                &[1, 2],
            ),
            (
                ".data\nifidni <a>,<A>\ndb 1\nendif\nifdifi <a>,<b>\ndb 2\nendif",
                &[1, 2],
            ),
            (".data\nif1\ndb 1\nendif", &[1]),
            (".data\nif 0\n.err <no>\nendif\ndb 1", &[1]),
            (".data\n.erre 1\n.errnz 0\n.errb <a>\n.errnb <>\ndb 1", &[1]),
            (
                ".data\n.errdef nope\n.errdif <a>,<a>\n.erridn <a>,<b>\ndb 1",
                &[1],
            ),
        ],
    );
}

#[test]
fn arguments_of_invoke_are_pushed_in_their_size() {
    check(
        ".text",
        &[
            (
                "p proto :byte\n.code\ninvoke p,5",
                &[0x6A, 5, 0xE8, 0, 0, 0, 0],
            ),
            (
                "p proto :real4\n.code\ninvoke p,1.0",
                &[0x68, 0, 0, 0x80, 0x3F, 0xE8, 0, 0, 0, 0],
            ),
            (
                "p proto :real8\n.code\ninvoke p,-2.0",
                &[0x68, 0, 0, 0, 0xC0, 0x6A, 0, 0xE8, 0, 0, 0, 0],
            ),
            (
                "p proto :qword\n.code\ninvoke p,edx::eax",
                &[0x52, 0x50, 0xE8, 0, 0, 0, 0],
            ),
            (
                "p proto :qword\n.code\ninvoke p,100000002h",
                &[0x6A, 1, 0x6A, 2, 0xE8, 0, 0, 0, 0],
            ),
            (
                "p proto :sdword\n.code\ninvoke p,cx",
                &[0x66, 0x6A, 0, 0x66, 0x51, 0xE8, 0, 0, 0, 0],
            ),
            (
                "p proto :byte\n.code\ninvoke p,ah",
                &[0x8A, 0xC4, 0x50, 0xE8, 0, 0, 0, 0],
            ),
            (
                "p proto c :vararg\n.code\ninvoke p,eax,1",
                &[0x6A, 1, 0x50, 0xE8, 0, 0, 0, 0, 0x83, 0xC4, 8],
            ),
            (
                "p proto :ptr\n.data\nx db 0\n.code\ninvoke p,addr x",
                &[0x68, 0, 0, 0, 0, 0xE8, 0, 0, 0, 0],
            ),
        ],
    );
}

#[test]
fn options_and_assumptions_are_taken() {
    for body in [
        "option proc:public\noption language:c\noption scoped\noption noscoped",
        "option expr32\noption dotname\noption nodotname\noption offset:flat",
        "assume nothing\nassume eax:ptr dword\nassume eax:nothing",
        ".code\nassume ecx:ptr byte\nmov [ecx],5\nassume ecx:nothing",
        "g group _DATA\nincludelib kernel32.lib",
        "extern c x:dword, y:near\npublic z\n.data\nz dd 0",
        "externdef w:dword\n.data\nw dd 0",
        "comm buffer:byte:16, number:dword",
    ] {
        assert!(
            assembled(&program(body)).is_ok(),
            "{body}: {:?}",
            assembled(&program(body))
        );
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a list of mistakes")]
fn each_mistake_has_its_message() {
    let cases = [
        (".model\n", "memory model"),
        (".386\n.model small\n", "small"),
        (".8086\n.model flat\n", "flat"),
        (".386\n.data\nend\n", ".MODEL"),
    ];
    for (source, message) in cases {
        let lines = assembled(source).expect_err(source);
        assert!(
            lines.iter().any(|line| line.contains(message)),
            "{source}: {lines:?}"
        );
    }
    let mut wrong = String::new();
    for body in [
        ".data\nalign 3",
        ".data\nalign 8192",
        ".data\norg -1",
        ".data\norg nope",
        ".radix 1",
        ".radix 17",
        "x ends",
        "else",
        "endif",
        "if 1\nelse\nelse\nendif",
        "if 1\nelse\nelseif 1\nendif",
        "if\nendif",
        "ifdef\nendif",
        "ifidn <a>\nendif",
        ".err <stop>",
        ".erre 0",
        ".errnz 1",
        ".errb <>",
        ".errnb <a>",
        ".errndef nope",
        "t substr",
        "t substr <abc>,0FFFFFFFFFFFFFFFFFFh",
        "t catstr 5",
        "t catstr <open",
        "n instr <a>",
        "n sizestr 5",
        "assume 5:nothing",
        "assume eax",
        "assume eax:ptr nope",
        "extern 5:dword",
        "public 5",
        "exitm",
        "endm",
        "goto nowhere",
        ".code\ninvoke",
        "p proto :dword\n.code\ninvoke p",
        "p proto :dword\n.code\ninvoke p,1,2",
        "p proto :dword\n.code\ninvoke p,",
        "p proto :byte\n.code\ninvoke p,eax",
        "p proto :dword\n.data\nq dq 0\n.code\ninvoke p,q",
        ".code\ninvoke eax,1",
        "db @catstr(<a>",
        "x equ 1\nx equ 2",
        "x = 1\nx equ 2",
        "comm",
    ] {
        match assembled(&program(body)) {
            Ok(_) => _ = writeln!(wrong, "{body:?} is taken"),
            Err(lines) if lines.iter().any(|line| line.contains("x.asm(")) => {}
            Err(lines) => _ = writeln!(wrong, "{body:?}: {lines:?}"),
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
