//! Functions of the program's own mode: they touch memory as the program does, and fault as it.

use pagefault_vmm::mmu::LinearAddr;

use crate::api::{Call, Stop};
use crate::format::{self, Arguments};
use crate::watch::Watch;

/// `RtlZeroMemory`: fills memory with zeros.
pub(super) fn rtl_zero_memory<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [destination, len_bytes] = call.arguments();
    let mut at = LinearAddr::new(destination);
    let mut left = len_bytes;
    while left > 0 {
        // Words where they are aligned, so that no access crosses a page.
        if left >= u32::BITS / 8 && at.bits().is_multiple_of(4) {
            call.machine.write_user(at, 0_u32)?;
            (at, left) = (at.wrapping_add(4), left - 4);
        } else {
            call.machine.write_user(at, 0_u8)?;
            (at, left) = (at.wrapping_add(1), left - 1);
        }
    }
    Ok(0)
}

/// `lstrlenA`: returns the length of a string; 0 for one that cannot be read.
pub(super) fn lstrlen<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [string] = call.arguments();
    if string == 0 {
        return Ok(0);
    }
    let mut len = 0_u32;
    loop {
        match call
            .machine
            .read_user::<u8>(LinearAddr::new(string.wrapping_add(len)))
        {
            Ok(0) => return Ok(len),
            Ok(_) => len += 1,
            // The function catches its own access violations.
            Err(Stop::Refused(_)) => return Ok(0),
            Err(stop) => return Err(stop),
        }
    }
}

/// `wsprintfA`: formats into a buffer and returns the length without the terminating zero.
pub(super) fn wsprintf<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [output, format] = call.arguments();
    let format = call.read_string(format, MAX_FORMAT_BYTES)?;
    let mut arguments = OnStack { call, next: 2 };
    let text = format::wsprintf(&format, &mut arguments)?;
    call.write_string(output, &text)?;
    Ok(u32::try_from(text.len()).unwrap_or(0))
}

/// The longest format that is read.
const MAX_FORMAT_BYTES: usize = 1 << 16;

/// The arguments that follow those of the table.
struct OnStack<'a, 'b, W: Watch> {
    call: &'a mut Call<'b, W>,
    next: u32,
}

impl<W: Watch> Arguments for OnStack<'_, '_, W> {
    type Error = Stop;

    fn next(&mut self) -> Result<u32, Stop> {
        let argument = self.call.further_argument(self.next)?;
        self.next += 1;
        Ok(argument)
    }

    fn string(&mut self, addr: u32, limit: usize) -> Result<Vec<u8>, Stop> {
        self.call.read_string(addr, limit)
    }

    fn wide_string(&mut self, addr: u32, limit: usize) -> Result<Vec<u16>, Stop> {
        let mut units = Vec::new();
        let mut at = LinearAddr::new(addr);
        while units.len() < limit {
            match self.call.machine.read_user(at)? {
                0 => break,
                unit => units.push(unit),
            }
            at = at.wrapping_add(2);
        }
        Ok(units)
    }
}

impl<W: Watch> Call<'_, W> {
    /// Reads a string up to its zero, at most `limit` bytes, as the program would.
    pub(super) fn read_string(&mut self, addr: u32, limit: usize) -> Result<Vec<u8>, Stop> {
        let mut bytes = Vec::new();
        let mut at = LinearAddr::new(addr);
        while bytes.len() < limit {
            match self.machine.read_user::<u8>(at)? {
                0 => break,
                byte => bytes.push(byte),
            }
            at = at.wrapping_add(1);
        }
        Ok(bytes)
    }

    /// Writes bytes and a zero behind them, as the program would.
    fn write_string(&mut self, addr: u32, bytes: &[u8]) -> Result<(), Stop> {
        let mut at = LinearAddr::new(addr);
        for &byte in bytes.iter().chain(&[0]) {
            self.machine.write_user(at, byte)?;
            at = at.wrapping_add(1);
        }
        Ok(())
    }
}
