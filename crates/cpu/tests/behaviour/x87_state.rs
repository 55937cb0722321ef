//! The state of x87 and SSE in memory, and packed decimal numbers.

use pagefault_cpu::{Exit, F80, NoObserver, Reg, Vector};
use pagefault_mmu::{PAGE_SIZE, Word};

use crate::machine::{CODE, DATA, Machine};

const CONTROL: u16 = 0x0C72;
/// TOP=6, C2, PE.
const STATUS: u16 = 6 << 11 | 1 << 10 | 1 << 5;

#[test]
fn fnsave_stores_everything_and_resets_and_frstor_loads_it_again() {
    for (prefix, pointer_at, len) in [(&[][..], 12, 108), (&[0x66], 6, 94)] {
        let mut machine = machine();
        let before = machine.cpu.registers().fpu().clone();
        // fld st(0) before, so that there is an instruction to point at; fnsave [ebx]
        run(&mut machine, &[0xD9, 0xD0]); // fnop
        run(&mut machine, &[prefix, &[0xDD, 0x33]].concat());

        let fpu = machine.cpu.registers().fpu();
        assert_eq!((fpu.control(), fpu.status(), fpu.used()), (0x37F, 0, 0));
        let image = bytes(&machine, len + 2);
        let expected = CODE.to_le_bytes();
        let pointer = if prefix.is_empty() {
            &expected[..]
        } else {
            &expected[..2]
        };
        assert_eq!(&image[pointer_at..pointer_at + pointer.len()], pointer);
        // ST(0), the first of the registers, and nothing behind the last.
        assert_eq!(image[len - 80..len - 70], image_of(before.st(0)));
        assert_eq!(image[len..], [0xCC, 0xCC]);

        // frstor [ebx]
        run(&mut machine, &[prefix, &[0xDD, 0x23]].concat());
        let after = machine.cpu.registers().fpu();
        for place in 0..8 {
            assert_eq!(after.st(place), before.st(place), "{prefix:x?} {place}");
        }
        assert_eq!(after.used(), before.used(), "{prefix:x?}");
        assert_eq!((after.control(), after.status()), (CONTROL, STATUS));
    }
}

#[test]
fn fnstenv_shows_where_the_last_instruction_was_and_masks_exceptions() {
    let mut machine = machine();
    machine.cpu.registers_mut().set_gpr(Reg::Ebx, DATA);
    // nop; fldz; fnstenv [ebx]; mov eax, [ebx+12]; int3
    let code = [0x90, 0xD9, 0xEE, 0xD9, 0x33, 0x8B, 0x43, 0x0C, 0xCC];
    machine.load(CODE, &code);

    machine.run(10);

    assert_eq!(machine.reg(Reg::Eax), CODE + 1);
    let image = bytes(&machine, 28);
    // The reserved halves are ones; the tag of the register that is zero now says so.
    assert_eq!(word(&image, 0), 0xFFFF_0000 | u32::from(CONTROL));
    assert_eq!(word(&image, 8) >> 16, 0xFFFF);
    assert_eq!(word(&image, 8) >> 10 & 3, 1);
    assert_eq!(machine.cpu.registers().fpu().control(), CONTROL | 0x3F);
}

#[test]
fn fldenv_makes_an_exception_pending_for_the_next_instruction() {
    let mut machine = machine();
    run(&mut machine, &[0xD9, 0x33]);
    let frame = machine.frame_of(DATA);
    // Control with invalid unmasked, status with invalid raised.
    machine.mmu.mem_mut().write(frame.byte(0), 0x037E_u32);
    machine.mmu.mem_mut().write(frame.byte(4), 0x0001_u32);
    // fldenv [ebx]; fld1
    machine.load(CODE, &[0xD9, 0x23, 0xD9, 0xE8]);

    let exit = machine.run(2);

    let Exit::Exception { exception, at } = exit else {
        panic!("{exit:?}")
    };
    assert_eq!((exception.vector, at), (Vector::X87, CODE + 2));
}

#[test]
fn a_store_of_the_state_that_faults_has_stored_nothing() {
    let mut machine = machine();
    let end = DATA + 4 * PAGE_SIZE;
    let before = machine.cpu.registers().fpu().clone();
    machine.cpu.registers_mut().set_gpr(Reg::Ebx, end - 64);
    machine.load(CODE, &[0xDD, 0x33]);

    let exit = machine.run(1);

    let Exit::Exception { exception, .. } = exit else {
        panic!("{exit:?}")
    };
    assert_eq!(exception.page_fault.unwrap().addr.bits(), end);
    let last = machine.frame_of(end - 1);
    let stored = machine.mmu.mem().frame(last).unwrap();
    assert!(stored.iter().all(|byte| *byte == 0xCC));
    assert_eq!(*machine.cpu.registers().fpu(), before);
}

#[test]
fn fxsave_and_fxrstor_keep_both_register_files() {
    let mut machine = machine();
    for reg in Reg::ALL {
        let value = u128::from(reg.number()) * 0x0101_0101_0101_0101_0101_0101_0101_0101;
        machine.cpu.registers_mut().set_xmm(reg, value);
    }
    machine.cpu.registers_mut().set_mxcsr(0x9FC1);
    let before = machine.cpu.registers().clone();
    run(&mut machine, &[0x0F, 0xAE, 0x03]);

    let image = bytes(&machine, 512);
    assert_eq!(image[4], before.fpu().used());
    assert_eq!((word(&image, 24), word(&image, 28)), (0x9FC1, 0xFFFF));
    assert_eq!(image[160 + 3 * 16..176 + 3 * 16], [3; 16]);
    assert_eq!(image[288..], [0xCC; 224]);

    for reg in Reg::ALL {
        machine.cpu.registers_mut().set_xmm(reg, 7);
    }
    run(&mut machine, &[0xDB, 0xE3]); // fninit
    run(&mut machine, &[0x0F, 0xAE, 0x0B]);
    let after = machine.cpu.registers();
    assert_eq!(after.mxcsr(), 0x9FC1);
    assert_eq!(after.fpu().used(), before.fpu().used());
    for reg in Reg::ALL {
        assert_eq!(after.xmm(reg), before.xmm(reg));
        assert_eq!(after.fpu().st(reg.number()), before.fpu().st(reg.number()));
    }
}

#[test]
fn fxsave_wants_sixteen_bytes_alignment_and_fxrstor_bits_that_exist() {
    let mut machine = machine();
    machine.cpu.registers_mut().set_gpr(Reg::Ebx, DATA + 8);
    machine.load(CODE, &[0x0F, 0xAE, 0x03]);
    assert_general_protection(machine.run(1));

    // The image is all CCh: MXCSR has reserved bits.
    machine.cpu.registers_mut().set_gpr(Reg::Ebx, DATA);
    machine.load(CODE, &[0x0F, 0xAE, 0x0B]);
    let before = machine.cpu.registers().clone();
    assert_general_protection(machine.run(1));
    assert_eq!(machine.cpu.registers().fpu(), before.fpu());
}

#[test]
fn packed_decimal_numbers_are_loaded_and_stored() {
    let digits = [0x89, 0x67, 0x45, 0x23, 0x01, 0x90, 0x78, 0x56, 0x34, 0x80];
    let mut machine = machine();
    machine.load(DATA, &digits);
    // fninit; fbld [ebx]; fbstp [ebx+16]
    machine.load(CODE, &[0xDB, 0xE3, 0xDF, 0x23, 0xDF, 0x73, 0x10]);
    machine.run(2);

    let loaded = machine.cpu.registers().fpu().st(0);
    let magnitude = 345_678_900_123_456_789_u64;
    let shift = magnitude.leading_zeros();
    assert_eq!(loaded.mantissa, magnitude << shift);
    assert_eq!(u32::from(loaded.sign_exponent), 0x8000 + 16383 + 63 - shift);

    machine.run(1);
    assert_eq!(bytes(&machine, 26)[16..], digits);
    assert_eq!(machine.cpu.registers().fpu().used(), 0);
}

#[test]
fn what_has_no_eighteen_digits_stores_the_indefinite() {
    let invalid = 1;
    let indefinite = [0, 0, 0, 0, 0, 0, 0, 0xC0, 0xFF, 0xFF];
    let million = [0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    // 10^18 as a number of 80 bits, 999999.5, -0.
    for (value, stored, raised) in [
        (f80(0xDE0B_6B3A_7640_0000, 0x403A), indefinite, invalid),
        (f80(1 << 63, 0x7FFF), indefinite, invalid),
        (f80(0xF423_F800_0000_0000, 0x4012), million, 1 << 5),
        (f80(0, 0x8000), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80], 0),
    ] {
        let mut machine = machine();
        run(&mut machine, &[0xDB, 0xE3]);
        machine.cpu.registers_mut().fpu_mut().set_st(0, value);

        run(&mut machine, &[0xDF, 0x33]);

        assert_eq!(bytes(&machine, 10), stored, "{value:x?}");
        let status = machine.cpu.registers().fpu().status();
        assert_eq!(status & 0x3F, raised, "{value:x?}");
    }
}

/// Returns a machine with a few numbers on the register stack, and EBX at the data.
fn machine() -> Machine<NoObserver> {
    let mut machine = Machine::new(NoObserver);
    let fpu = machine.cpu.registers_mut().fpu_mut();
    fpu.set_control(CONTROL);
    fpu.set_status(STATUS);
    for place in 0..3_u8 {
        fpu.set_st(
            place,
            f80(1 << 63 | u64::from(place), 0x3FFF + u16::from(place)),
        );
    }
    machine.cpu.registers_mut().set_gpr(Reg::Ebx, DATA);
    machine
}

fn run(machine: &mut Machine<NoObserver>, code: &[u8]) {
    machine.cpu.registers_mut().set_gpr(Reg::Ebx, DATA);
    machine.load(CODE, code);
    assert_eq!(machine.run(1), Exit::Budget, "{code:x?}");
}

fn bytes(machine: &Machine<NoObserver>, len: usize) -> Vec<u8> {
    let frame = machine.frame_of(DATA);
    machine.mmu.mem().frame(frame).unwrap()[..len].to_vec()
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::load(&bytes[at..]).unwrap()
}

const fn f80(mantissa: u64, sign_exponent: u16) -> F80 {
    F80 {
        mantissa,
        sign_exponent,
    }
}

fn image_of(value: F80) -> [u8; 10] {
    let mut bytes = [0; 10];
    bytes[..8].copy_from_slice(&value.mantissa.to_le_bytes());
    bytes[8..].copy_from_slice(&value.sign_exponent.to_le_bytes());
    bytes
}

fn assert_general_protection(exit: Exit) {
    let Exit::Exception { exception, .. } = exit else {
        panic!("{exit:?}")
    };
    assert_eq!(exception.vector, Vector::GENERAL_PROTECTION);
}
