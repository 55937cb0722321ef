//! A loop over one page more than a TLB has entries: true LRU misses each time, as it drops just what
//! is needed next; policies that approximate it do better.
//!
//! `cargo run -p pagefault-mmu --example one_page_too_many`

use std::io::{self, Write};

use pagefault_mmu::{
    Cr0, Execute, FrameNumber, Geometry, LinearAddr, Mmu, MmuConfig, PageEntry, PageNumber,
    PhysMemory, Policy, Privilege, PteFlags, Root, TlbConfig, tables,
};

const RAM_BYTES: u64 = 1 << 20;
const ENTRIES: u32 = 64;
const ROUNDS: u32 = 100;
const PAGE_BYTES: u32 = 4096;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = io::stdout().lock();
    for (name, policy) in Policy::NAMES {
        // Some policies have no fully associative form of this size.
        let Ok(geometry) = Geometry::new(ENTRIES, ENTRIES, policy) else {
            writeln!(out, "{name:>12} cannot have {ENTRIES} ways")?;
            continue;
        };
        for pages in [ENTRIES, ENTRIES + 1] {
            let walks = walks(geometry, pages)?;
            writeln!(
                out,
                "{name:>12} {pages} pages {ROUNDS} times: {walks} walks"
            )?;
        }
    }
    Ok(())
}

/// Reads from that many pages in turns, and returns how many page walks it took.
fn walks(geometry: Geometry, pages: u32) -> Result<u64, Box<dyn std::error::Error>> {
    let (directory, table) = (frame(1)?, frame(2)?);
    let root = Root::TwoLevel(directory);
    let mut mem = PhysMemory::new(RAM_BYTES)?;
    tables::add_table(&mut mem, root, page(0)?, table)?;
    for number in 0..pages {
        let entry = PageEntry {
            frame: frame(3 + number)?,
            flags: PteFlags::USER,
            execute: Execute::Allowed,
        };
        assert_eq!(
            tables::set_page(&mut mem, root, page(number)?, entry)?,
            None
        );
    }
    let config = MmuConfig {
        tlb: TlbConfig::unified(geometry),
        ..MmuConfig::default()
    };
    let mut mmu = Mmu::new(mem, &config)?;
    mmu.set_cr3(root.cr3())?;
    mmu.set_cr0((Cr0::PROTECTED_MODE | Cr0::PAGING).bits())?;
    for _ in 0..ROUNDS {
        for number in 0..pages {
            mmu.read::<u32>(LinearAddr::new(number * PAGE_BYTES), Privilege::User)?;
        }
    }
    Ok(mmu.statistics().walks)
}

fn frame(number: u32) -> Result<FrameNumber, Box<dyn std::error::Error>> {
    FrameNumber::new(number).ok_or_else(|| "no such frame".into())
}

fn page(number: u32) -> Result<PageNumber, Box<dyn std::error::Error>> {
    PageNumber::new(number).ok_or_else(|| "no such page".into())
}
