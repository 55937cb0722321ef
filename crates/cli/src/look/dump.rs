//! `pagefault walk --dump`: tables in the bytes of another machine's physical memory.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use pagefault_machine::vmm::mmu::{
    ControlFault, FrameNumber, LinearAddr, Mmu, MmuConfig, PAGE_SIZE, PhysAddr, PhysMemory, Root,
};
use serde_json::json;

use crate::args::{self, Paging};
use crate::json::SCHEMA;
use crate::look::walk::{is_all, tables};
use crate::look::{EXIT_USAGE, WalkArguments, page, print, svg, write};
use crate::run::EXIT_NO_PROGRAM;

/// CR0 with protection, write protection and paging.
const CR0_PAGING: u32 = 0x8001_0001;
/// CR4 with large pages, and with global pages.
const CR4_TWO_LEVEL: u32 = 0x90;
/// The same and PAE.
const CR4_PAE: u32 = 0xB0;
/// EFER with XD.
const EFER_NXE: u32 = 1 << 11;
/// The bits of CR3 that are no address of a table of PAE paging, and of two-level paging.
const PAE_ROOT_MASK: u32 = !0x1F;
/// The most bytes that a dump can have.
const MAX_BYTES: u64 = 4 << 30;

/// Walks the tables in a dump, and returns the exit code of the command.
///
/// # Errors
///
/// What was asked for cannot be written.
pub(crate) fn walk(arguments: &WalkArguments, path: &Path) -> anyhow::Result<u8> {
    let cr3 = arguments
        .cr3
        .as_deref()
        .and_then(|text| args::number(text).ok());
    let Some(cr3) = cr3 else {
        anstream::eprintln!("error: --cr3 is no number of 32 bits, as 0x1000");
        return Ok(EXIT_USAGE);
    };
    let mem = match read(path) {
        Ok(mem) => mem,
        Err(error) => {
            anstream::eprintln!("error: cannot read {}: {error}", path.display());
            return Ok(EXIT_NO_PROGRAM);
        }
    };
    let is_two_level = matches!(arguments.run.paging, Paging::TwoLevel);
    if is_all(arguments) {
        let root = match (is_two_level, FrameNumber::new(cr3 / PAGE_SIZE)) {
            (true, Some(frame)) => Some(Root::TwoLevel(frame)),
            _ => PhysAddr::new(u64::from(cr3 & PAE_ROOT_MASK)).map(Root::Pae),
        };
        let root = root.expect("32 bits are a physical address");
        return tables(arguments, &mem, root);
    }
    let Ok(addr) = args::number(&arguments.address) else {
        let text = &arguments.address;
        anstream::eprintln!("error: a dump has no labels: \"{text}\" is no number, as 0x403123");
        return Ok(EXIT_USAGE);
    };
    let mmu = match paging(mem, cr3, is_two_level) {
        Ok(mmu) => mmu,
        Err(error) => {
            anstream::eprintln!("error: CR3 {cr3:#010x} does not fit these tables: {error}");
            return Ok(EXIT_USAGE);
        }
    };
    let walk = mmu.walk(LinearAddr::new(addr));
    if let Some(path) = &arguments.svg {
        write(path, &svg::walk_only(&walk, cr3, is_two_level))?;
    }
    if arguments.run.json {
        let walk = page::walk_json(&walk, cr3, is_two_level);
        print(&format!(
            "{:#}\n",
            json!({ "schema": SCHEMA, "walk": walk })
        ))?;
    } else {
        let split = crate::explain::split(is_two_level, LinearAddr::new(addr));
        let bits = page::bits_text(&walk, is_two_level);
        print(&format!(
            "page walk    CR3 {cr3:08X}, address {split}\n{walk}\n\n{bits}"
        ))?;
    }
    Ok(0)
}

/// Returns an MMU whose registers name the tables.
fn paging(mem: PhysMemory, cr3: u32, is_two_level: bool) -> Result<Mmu, ControlFault> {
    let config = MmuConfig::default();
    let mut mmu = Mmu::new(mem, &config).expect("the default configuration is sound");
    mmu.set_cr4(if is_two_level { CR4_TWO_LEVEL } else { CR4_PAE })?;
    if !is_two_level {
        mmu.set_efer(EFER_NXE)?;
    }
    mmu.set_cr3(cr3)?;
    mmu.set_cr0(CR0_PAGING)?;
    Ok(mmu)
}

/// Reads the bytes of physical memory, from address 0 on.
fn read(path: &Path) -> io::Result<PhysMemory> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    if size == 0 || size > MAX_BYTES {
        let message = "a dump of physical memory has 1 byte to 4 GiB";
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    let page = u64::from(PAGE_SIZE);
    let mem = PhysMemory::new(size.div_ceil(page) * page);
    let mut mem = mem.map_err(|error| io::Error::new(io::ErrorKind::OutOfMemory, error))?;
    for number in 0..mem.frame_count() {
        let frame = FrameNumber::new(number).and_then(|frame| mem.frame_mut(frame));
        let Some(mut rest) = frame.map(|bytes| &mut bytes[..]) else {
            break;
        };
        while !rest.is_empty() {
            let len = file.read(rest)?;
            if len == 0 {
                break;
            }
            rest = &mut rest[len..];
        }
    }
    Ok(mem)
}
