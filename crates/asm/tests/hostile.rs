//! No source may make the assembler panic, hang or use memory without bound.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use pagefault_asm::{LinkOptions, NoIncludes, Options, assemble, link};
use proptest::prelude::*;

/// Words and fragments that reach deep into the assembler.
const FRAGMENTS: &[&str] = &[
    ".386\n.model flat,stdcall\noption casemap:none\n",
    ".code\n",
    ".data\n",
    ".data?\n",
    "\n",
    "\n",
    "start:\n",
    "end start\n",
    "end\n",
    "x dd 1\n",
    "y db 'abc',0\n",
    "mov eax,",
    "[ebx+esi*4]",
    "x[4]",
    "offset x",
    "addr x",
    "dword ptr ",
    "byte ptr [eax]",
    ",",
    "(",
    ")",
    "[",
    "]",
    "<",
    ">",
    "!",
    "&",
    "%",
    " dup (",
    "?",
    "\"",
    "'",
    "@@:\n",
    "jmp @F\n",
    "jz @B\n",
    "p proc a:DWORD,b:BYTE\n",
    "uses ebx esi ",
    "local z[4]:BYTE,w\n",
    "ret\n",
    "p endp\n",
    "invoke p,1,2\n",
    "invoke p,addr x,eax\n",
    "f proto :DWORD\n",
    "invoke f,x\n",
    ".if eax==1 && !(ebx<x || ZERO?)\n",
    ".elseif ecx\n",
    ".else\n",
    ".endif\n",
    ".while 1\n",
    ".endw\n",
    ".repeat\n",
    ".until eax\n",
    ".untilcxz\n",
    ".break .if eax\n",
    ".continue\n",
    "S struct\n",
    "a dd ?\n",
    "S ends\n",
    "U union\n",
    "U ends\n",
    "s S <1>\n",
    "[eax].S.a",
    "assume eax:ptr S\n",
    "m macro q,r:vararg\n",
    "local l\n",
    "endm\n",
    "exitm <5>\n",
    "m 1,2\n",
    "m(1)",
    "for i,<1,2>\n",
    "dd i\n",
    "repeat 3\n",
    "while 0\n",
    "forc c,<ab>\n",
    "goto l\n",
    ":l\n",
    "if 1\n",
    "ifb <>\n",
    "ifdef x\n",
    "else\n",
    "endif\n",
    "t textequ <mov>\n",
    "n = n+1\n",
    "n equ 5\n",
    "c catstr <a>,<b>\n",
    "@CatStr(<a>,%n)",
    "include windows.inc\n",
    "R record f:3,g:5\n",
    "T typedef ptr S\n",
    "align 4\n",
    "org 10\n",
    "even\n",
    "real8 1.5,-2e300\n",
    "rep movsb\n",
    "fld qword ptr [eax]\n",
    "movaps xmm0,xmm1\n",
    "push 5\n",
    "$",
    "-",
    "+",
    "*",
    "/",
    " shl ",
    "sizeof x",
    "type S",
    "lengthof x",
    "mask f",
    "\\\n",
    ";",
    "0FFh",
    "4294967296",
    "1.5",
    "12z",
    "st(1)",
    "fs:[0]",
    "comment ~\n",
    "~\n",
    "echo hi\n",
    ".err\n",
    "print \"x\",13,10\n",
    "include masm32rt.inc\n",
    "switch eax\n",
    "case 1\n",
    "endsw\n",
    "public x\n",
    "extern e:dword\n",
    "label byte\n",
    "purge m\n",
    ".radix 16\n",
    "\x1A",
    "\0",
    "x equ <x>\n",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_end_with_a_result(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        run(&bytes);
    }

    #[test]
    fn random_statements_end_with_a_result(
        picks in proptest::collection::vec(0..FRAGMENTS.len(), 0..120),
    ) {
        let mut source = String::from(".386\n.model flat,stdcall\noption casemap:none\n");
        for pick in picks {
            source.push_str(FRAGMENTS[pick]);
        }
        run(source.as_bytes());
    }
}

#[test]
fn mutated_programs_end_with_a_result() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut seed = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let prelude = fs::read(dir.join("pf.inc")).expect("the include file");
    for name in [
        "macro_library",
        "assume_nested",
        "invoke_args",
        "equ_expr",
        "sha1",
        "quicksort",
    ] {
        let source = fs::read(dir.join(format!("{name}.asm"))).expect("a source");
        let text = String::from_utf8_lossy(&source).replace("include pf.inc", "");
        let (head, tail) = text.split_once("casemap:none").expect("the option");
        let whole = [
            head.as_bytes(),
            b"casemap:none\n",
            &prelude[..],
            tail.as_bytes(),
        ]
        .concat();
        for _ in 0..25 {
            let mut bytes = whole.clone();
            for _ in 0..=next() % 4 {
                let at = usize::try_from(next() % bytes.len() as u64).expect("an index");
                match next() % 3 {
                    0 => drop(bytes.remove(at)),
                    1 => bytes.insert(at, next().to_le_bytes()[0]),
                    _ => bytes[at] = b"()[]<>,.:;&%!'\"\n0a"[(next() % 18) as usize],
                }
            }
            run(&bytes);
        }
    }
}

#[test]
fn endless_things_give_one_error_each() {
    let head = ".386\n.model flat,stdcall\n.code\nstart:\n";
    let cases = [
        ("m macro\nm\nendm\nm\n", "A1007"),
        ("f macro x\nexitm <f(x)>\nendm\nmov eax,f(1)\n", "A1007"),
        (".data\ndb 0FFFFFFFFh dup (1)\n", "larger than"),
        (".data?\ndd 0FFFFFFFFh dup (?)\n", "larger than"),
        ("while 1\nnop\nendm\n", "more than"),
        ("while 1\nendm\n", "more than"),
        ("repeat 0FFFFFFFFh\nendm\n", "more than"),
        ("m macro\n:a\ngoto a\nendm\nm\n", "more than"),
    ];
    for (body, wanted) in cases {
        let source = format!("{head}{body}ret\nend start\n");
        let failure = assemble("x.asm", source.as_bytes(), &NoIncludes, &Options::default());
        let failure = failure.expect_err(body);
        let lines: Vec<_> = failure
            .diagnostics
            .iter()
            .map(|d| d.one_line(&failure.files))
            .collect();
        assert_eq!(lines.len(), 1, "{body}: {lines:?}");
        assert!(lines[0].contains(wanted), "{body}: {lines:?}");
    }
}

#[test]
fn a_text_equate_bomb_is_an_error() {
    let mut source = String::from(".386\n.model flat,stdcall\n.data\n");
    for level in 0..18 {
        let part = format!("t{},", level + 1).repeat(10);
        writeln!(source, "t{level} textequ <{part}>").expect("a string takes all");
    }
    source.push_str("t18 textequ <1>\ndb t0\nend\n");
    let failure = assemble("x.asm", source.as_bytes(), &NoIncludes, &Options::default());
    assert!(failure.is_err());
}

#[test]
fn ten_megabytes_in_one_line_are_handled() {
    let mut source = b".386\n.model flat,stdcall\n.data\nx db 1".to_vec();
    source.extend(std::iter::repeat_n(&b",1"[..], 5 << 20).flatten());
    source.extend(b"\nend\n");
    let assembled =
        assemble("x.asm", &source, &NoIncludes, &Options::default()).expect("it is right");
    assert_eq!(assembled.object.sections[1].size, (5 << 20) + 1);
    run(&b"(".repeat(10 << 20));
    run(&b"1 dup("[..].repeat(1 << 20));
    run(&[b"x dd "[..].to_vec(), b"-".repeat(1 << 20)].concat());
    run(&[b"x dd "[..].to_vec(), b"1 dup(".repeat(1 << 20)].concat());
    run(&[
        b".if "[..].to_vec(),
        b"(".repeat(1 << 20),
        b"eax==1".to_vec(),
    ]
    .concat());
    run(&[b".if "[..].to_vec(), b"(eax==1) && ".repeat(1 << 18)].concat());
}

fn run(source: &[u8]) {
    let options = Options {
        max_lines: 20_000,
        ..Options::default()
    };
    if let Ok(assembled) = assemble("x.asm", source, &NoIncludes, &options) {
        // Whatever assembles may still lack an entry point.
        let _ = link(&assembled.object, &LinkOptions::default());
    }
}
