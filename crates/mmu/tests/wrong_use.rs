//! What cannot be modelled is refused with an error that says why.

use pagefault_mmu::tlb::presets;
use pagefault_mmu::{
    ControlFault, FrameAllocator, Geometry, GeometryError, MAX_RAM_BYTES, Mmu, MmuConfig, MmuError,
    PageSizes, PhysMemory, PhysMemoryError, Policy, TlbConfig,
};

#[test]
fn ram_of_an_impossible_size_is_refused() {
    for size_bytes in [0, 4095, 6000, MAX_RAM_BYTES + 4096] {
        let refused = PhysMemory::new(size_bytes).unwrap_err();
        assert_eq!(refused, PhysMemoryError::Size { size_bytes });
    }
    let message = PhysMemory::new(6000).unwrap_err().to_string();
    assert!(message.contains("multiple of 4 KiB"), "{message}");
}

#[test]
fn impossible_geometries_are_refused() {
    let refused = |entries, ways, policy| Geometry::new(entries, ways, policy).unwrap_err();

    assert_eq!(
        refused(0, 4, Policy::Lru),
        GeometryError::Count {
            entries: 0,
            ways: 4
        }
    );
    assert_eq!(
        refused(64, 0, Policy::Lru),
        GeometryError::Count {
            entries: 64,
            ways: 0
        }
    );
    assert_eq!(
        refused(64, 3, Policy::Lru),
        GeometryError::Ways {
            entries: 64,
            ways: 3
        }
    );
    assert_eq!(
        refused(96, 4, Policy::Lru),
        GeometryError::Sets { sets: 24 }
    );
    let policy = Policy::TreePlru;
    assert_eq!(
        refused(48, 6, policy),
        GeometryError::Policy { policy, ways: 6 }
    );
    let whole = Geometry::new(4, 4, Policy::Lru).unwrap();
    assert_eq!(whole.holding(PageSizes::empty()), Err(GeometryError::Sizes));
}

#[test]
fn tlbs_that_could_hold_nothing_are_refused() {
    let array = Geometry::new(4, 4, Policy::Lru).unwrap();
    let only_second = TlbConfig {
        second: vec![array],
        ..TlbConfig::none()
    };
    let only_large = TlbConfig::unified(array.holding(PageSizes::LARGE).unwrap());
    let too_many = TlbConfig {
        data: vec![array; 9],
        ..TlbConfig::none()
    };

    assert_eq!(error_of(only_second), MmuError::NoDataLevel);
    assert_eq!(error_of(only_large), MmuError::NoSmallPages);
    assert_eq!(error_of(too_many), MmuError::Arrays { arrays: 9 });
}

#[test]
fn an_unknown_preset_or_policy_is_answered_with_the_names() {
    let preset = presets::named("i586").unwrap_err().to_string();
    let policy = Policy::named("mru").unwrap_err().to_string();

    assert!(
        preset.contains("i386") && preset.contains("skylake"),
        "{preset}"
    );
    assert!(policy.contains("lru, plru"), "{policy}");
}

#[test]
fn every_preset_makes_an_mmu() {
    for preset in presets::all() {
        let config = MmuConfig {
            tlb: preset.config().clone(),
            ..MmuConfig::default()
        };
        let made = Mmu::new(PhysMemory::new(1 << 20).unwrap(), &config);
        assert!(made.is_ok(), "{preset}");
    }
}

#[test]
fn register_bits_that_the_mode_does_not_have_are_general_protection_faults() {
    let mut mmu = Mmu::new(PhysMemory::new(1 << 20).unwrap(), &MmuConfig::default()).unwrap();

    let (cr0, cr4, efer) = (0x8000_0000, 1 << 13, 1 << 8);
    assert_eq!(mmu.set_cr0(cr0), Err(ControlFault::Cr0 { bits: cr0 }));
    assert_eq!(mmu.set_cr4(cr4), Err(ControlFault::Cr4 { bits: cr4 }));
    assert_eq!(mmu.set_efer(efer), Err(ControlFault::Efer { bits: efer }));

    assert!(!mmu.control().is_paging());
    assert!(mmu.control().cr4().is_empty() && mmu.control().efer().is_empty());
}

#[test]
fn out_of_frames_is_a_value() {
    let mut frames = FrameAllocator::new(1);

    assert!(frames.allocate().is_some());
    assert_eq!(frames.allocate(), None);
}

#[cfg(target_os = "linux")]
#[test]
fn four_gibibytes_of_guest_ram_cost_what_is_touched() {
    use pagefault_mmu::FrameNumber;

    let before = resident_pages();
    let mut mem = PhysMemory::new(MAX_RAM_BYTES).unwrap();
    for number in (0..mem.frame_count()).step_by(1 << 14) {
        let frame = FrameNumber::new(number).unwrap();
        mem.write(frame.start(), number);
    }
    let grown = resident_pages() - before;

    assert_eq!(mem.size_bytes(), MAX_RAM_BYTES);
    // 64 frames were touched; a host with huge pages may commit 2 MiB for each of them.
    assert!(grown <= 64 * 512, "{grown} pages");
}

/// Returns how many pages of this process are in memory.
#[cfg(target_os = "linux")]
fn resident_pages() -> u64 {
    let statistics = std::fs::read_to_string("/proc/self/statm").unwrap();
    let resident = statistics.split(' ').nth(1).unwrap();
    resident.parse().unwrap()
}

fn error_of(tlb: TlbConfig) -> MmuError {
    let config = MmuConfig {
        tlb,
        ..MmuConfig::default()
    };
    Mmu::new(PhysMemory::new(1 << 20).unwrap(), &config).unwrap_err()
}
