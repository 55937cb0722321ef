//! What the scenarios do not reach: large and physical pages, files, stacks, profiles, history.

mod common;

use std::io::{Read, Seek, SeekFrom, Write};

use common::{MIB, Machine};
use pagefault_vmm::mmu::LinearAddr;
use pagefault_vmm::{
    AllocError, AllocationType, Caller, FileAccess, FreeError, FreeRequest, Held, LockError,
    MEM_DECOMMIT, MEM_RELEASE, MapError, MapRequest, Origin, PageRange, PagingMode, PhysicalError,
    Profile, ProtectError, ProtectRequest, Protection, RegionType, Resolution, Rule, SectionId,
    SectionRequest, StreamFile, UserSpace, VmmConfig, Win32Code, Window,
};

const PAGE: u32 = 4096;
const RAM: u64 = 32 << 20;
const READ: u32 = 4;
const WRITE: u32 = 2;
const COPY: u32 = 1;
const EXECUTE: u32 = 0x20;

fn machine() -> Machine {
    Machine::new(RAM, VmmConfig::default())
}

fn privileged(paging: PagingMode) -> Machine {
    let lock_memory_privilege = Held::Yes;
    Machine::new(
        RAM,
        VmmConfig {
            paging,
            lock_memory_privilege,
            ..VmmConfig::default()
        },
    )
}

fn rule(refused: Resolution) -> Rule {
    match refused {
        Resolution::AccessViolation(violation) => violation.rule,
        other => panic!("{other:?}"),
    }
}

#[test]
fn large_pages_are_resident_from_the_start_and_cost_one_entry() {
    for (paging, large) in [(PagingMode::TwoLevel, 4 * MIB), (PagingMode::Pae, 2 * MIB)] {
        let mut machine = privileged(paging);
        let kind = AllocationType::RESERVE | AllocationType::COMMIT | AllocationType::LARGE_PAGES;
        let faults = machine.vmm.counters().faults;

        let base = machine
            .alloc(0, 2 * large, kind, Protection::READ_WRITE)
            .unwrap();

        assert!(base.is_multiple_of(large));
        machine.write(base + large + 12, 5).unwrap();
        assert_eq!(machine.read(base + large + 12), Ok(5));
        assert_eq!(machine.vmm.counters().faults, faults);
        assert_eq!(machine.query(base).size_bytes, 2 * large);
        machine.audit("large");
        let refused = machine
            .protect(base, PAGE, Protection::READ_ONLY)
            .unwrap_err();
        assert!(matches!(refused, ProtectError::Fixed { .. }));
        machine.free(base, 0, MEM_RELEASE).unwrap();
        assert_eq!(rule(machine.read(base).unwrap_err()), Rule::Free);
        machine.audit("large, released");
    }
}

#[test]
fn large_pages_are_neither_reset_nor_written_past_their_rights() {
    let mut machine = privileged(PagingMode::TwoLevel);
    let kind = AllocationType::RESERVE | AllocationType::COMMIT | AllocationType::LARGE_PAGES;
    let code = machine
        .alloc(0, 4 * MIB, kind, Protection::EXECUTE_READ)
        .unwrap();

    let reset = machine.reset(code, PAGE);
    let undone = machine.reset_undo(code, PAGE);
    let at = LinearAddr::new(code);
    let (vmm, mmu, process) = (&mut machine.vmm, &mut machine.mmu, machine.process);
    let written = vmm.write_process_memory(mmu, process, at, &[0xCC]);

    assert!(
        matches!(reset, Err(AllocError::NotCommittable { .. })),
        "{reset:?}"
    );
    assert!(
        matches!(undone, Err(AllocError::NotCommittable { .. })),
        "{undone:?}"
    );
    assert_eq!(written.unwrap_err().win32_code(), Win32Code::NOACCESS);
    machine.audit("large, refused");
}

#[test]
fn large_pages_need_the_privilege_and_whole_pages() {
    let kind = AllocationType::RESERVE | AllocationType::COMMIT | AllocationType::LARGE_PAGES;
    let refused = machine()
        .alloc(0, 4 * MIB, kind, Protection::READ_WRITE)
        .unwrap_err();
    assert_eq!(
        (refused, refused.win32_code()),
        (AllocError::Privilege, Win32Code::PRIVILEGE_NOT_HELD)
    );

    let mut machine = privileged(PagingMode::TwoLevel);
    let refused = machine
        .alloc(0, MIB, kind, Protection::READ_WRITE)
        .unwrap_err();
    assert!(matches!(refused, AllocError::LargePageAlignment { .. }));
}

#[test]
fn a_window_shows_the_physical_pages_that_are_mapped_into_it() {
    let mut machine = privileged(PagingMode::TwoLevel);
    let caller = machine.caller();
    let kind = AllocationType::RESERVE | AllocationType::PHYSICAL;
    let window = machine
        .alloc(0, 4 * PAGE, kind, Protection::READ_WRITE)
        .unwrap();
    let at = LinearAddr::new(window);
    let (vmm, mmu) = (&mut machine.vmm, &mut machine.mmu);
    let frames = vmm.allocate_physical(mmu, caller.process, 3).unwrap();
    assert_eq!(frames.len(), 3);

    vmm.map_physical(mmu, caller, at, Window::Show(&frames[..2]))
        .unwrap();
    machine.write(window + PAGE, 7).unwrap();
    let swapped = [frames[1], frames[2]];
    machine
        .vmm
        .map_physical(&mut machine.mmu, caller, at, Window::Show(&swapped))
        .unwrap();

    assert_eq!(machine.read(window), Ok(7));
    assert_eq!(machine.read(window + PAGE), Ok(0));
    assert_eq!(
        rule(machine.read(window + 2 * PAGE).unwrap_err()),
        Rule::Reserved
    );
    machine.audit("window");
    let (vmm, mmu) = (&mut machine.vmm, &mut machine.mmu);
    let twice = vmm.map_physical(mmu, caller, at, Window::Show(&[frames[0], frames[0]]));
    assert!(matches!(twice, Err(PhysicalError::Mapped { .. })));
    vmm.map_physical(mmu, caller, at, Window::Clear { len_pages: 2 })
        .unwrap();
    vmm.free_physical(mmu, caller.process, &frames).unwrap();
    let gone = vmm.free_physical(mmu, caller.process, &frames[..1]);
    assert_eq!(gone, Err(PhysicalError::NotOwned { frame: frames[0] }));
    assert_eq!(rule(machine.read(window).unwrap_err()), Rule::Reserved);
    machine.audit("window, freed");
}

/// A section over a temporary file of `len` bytes, each its offset modulo 251.
fn file_section(
    machine: &mut Machine,
    len: usize,
    protect: Protection,
) -> (std::fs::File, SectionId) {
    let mut file = tempfile::tempfile().unwrap();
    let bytes: Vec<u8> = (0..len).map(|at| u8::try_from(at % 251).unwrap()).collect();
    file.write_all(&bytes).unwrap();
    let backing = StreamFile::new(file.try_clone().unwrap(), FileAccess::ReadWrite).unwrap();
    let request = SectionRequest {
        size_bytes: 0,
        protect: protect.bits(),
        file: Some(Box::new(backing)),
    };
    (file, machine.vmm.create_section(request).unwrap())
}

fn map(machine: &mut Machine, section: SectionId, access: u32) -> Result<u32, MapError> {
    let address = LinearAddr::new(0);
    let request = MapRequest {
        access,
        offset_bytes: 0,
        size_bytes: 0,
        address,
    };
    machine
        .vmm
        .map_view(Caller::of(machine.process), section, &request)
        .map(LinearAddr::bits)
}

fn contents(mut file: std::fs::File) -> Vec<u8> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0)).unwrap();
    file.read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn a_view_of_a_file_reads_it_and_a_flush_writes_it_back() {
    let mut machine = machine();
    let (file, section) = file_section(&mut machine, 10_000, Protection::READ_WRITE);
    let view = map(&mut machine, section, WRITE).unwrap();
    assert_eq!(
        machine.read_u8(view + 5000),
        Ok(u8::try_from(5000 % 251).unwrap())
    );
    assert_eq!(
        machine.read_u8(view + 10_000),
        Ok(0),
        "past the end of the file"
    );
    machine.write_u8(view + 5000, 200).unwrap();

    let caller = machine.caller();
    machine
        .vmm
        .flush_view(&mut machine.mmu, caller, LinearAddr::new(view), 0)
        .unwrap();

    let written = contents(file.try_clone().unwrap());
    assert_eq!(
        (written.len(), written[5000], written[4999]),
        (10_000, 200, 230)
    );
    machine.write_u8(view + 1, 99).unwrap();
    machine
        .vmm
        .unmap_view(&mut machine.mmu, caller, LinearAddr::new(view))
        .unwrap();
    machine.vmm.close_section(&machine.mmu, section);
    assert_eq!(
        contents(file)[1],
        99,
        "the last reference writes back what is left"
    );
    machine.audit("file");
}

#[test]
fn a_copy_on_write_view_of_a_file_leaves_the_file_alone() {
    let mut machine = machine();
    let (file, section) = file_section(&mut machine, 4096, Protection::READ_ONLY);
    assert!(matches!(
        map(&mut machine, section, WRITE),
        Err(MapError::Access { .. })
    ));
    let copy = map(&mut machine, section, COPY).unwrap();
    let view = map(&mut machine, section, READ).unwrap();

    machine.write_u8(copy + 3, 77).unwrap();

    assert_eq!(
        (machine.read_u8(copy + 3), machine.read_u8(view + 3)),
        (Ok(77), Ok(3))
    );
    assert_eq!(machine.query(copy).protection, Some(Protection::READ_WRITE));
    let caller = machine.caller();
    machine
        .vmm
        .flush_view(&mut machine.mmu, caller, LinearAddr::new(copy), 0)
        .unwrap();
    assert_eq!(contents(file)[3], 3);
    machine.audit("copied");
}

#[test]
fn the_stack_grows_by_its_guard_page_down_to_the_last_page_but_one() {
    const PAGES: u32 = 6;
    let mut machine = machine();
    let kind = AllocationType::RESERVE;
    let base = machine
        .alloc(0, PAGES * PAGE, kind, Protection::READ_WRITE)
        .unwrap();
    let guard = Protection::from_bits(0x104).unwrap();
    let commit = AllocationType::COMMIT;
    machine
        .alloc(base + 5 * PAGE, PAGE, commit, Protection::READ_WRITE)
        .unwrap();
    machine.alloc(base + 4 * PAGE, PAGE, commit, guard).unwrap();
    let stack = PageRange::touched(LinearAddr::new(base), PAGES * PAGE);
    machine.vmm.set_stack(machine.process, stack);

    machine.write(base + 4 * PAGE + 8, 1).unwrap();
    machine.write(base + 3 * PAGE + 8, 2).unwrap();

    assert_eq!(machine.query(base + 2 * PAGE).protection, Some(guard));
    assert_eq!(
        machine.query(base + 3 * PAGE).protection,
        Some(Protection::READ_WRITE)
    );
    machine.write(base + 2 * PAGE, 3).unwrap();
    let overflow = machine.write(base + PAGE + 8, 4).unwrap_err();
    assert!(matches!(overflow, Resolution::StackOverflow(found)
        if found.limit == LinearAddr::new(base + PAGE)));
    machine.write(base + PAGE + 8, 4).unwrap();
    assert_eq!(rule(machine.write(base, 5).unwrap_err()), Rule::Reserved);
    machine.audit("stack");
}

#[test]
fn a_violation_tells_who_reserved_committed_and_protected_the_page() {
    let mut machine = machine();
    let by = |origin| Caller {
        process: machine.process,
        origin: Origin(origin),
    };
    let [reserver, committer, protector] = [by(10), by(20), by(30)];
    let request = |address, kind: AllocationType| pagefault_vmm::AllocRequest {
        address: LinearAddr::new(address),
        size_bytes: 4 * PAGE,
        allocation_type: kind.bits(),
        protect: Protection::READ_WRITE.bits(),
    };
    let (vmm, mmu) = (&mut machine.vmm, &mut machine.mmu);
    let base = vmm
        .alloc(mmu, reserver, &request(0, AllocationType::RESERVE))
        .unwrap();
    vmm.alloc(
        mmu,
        committer,
        &request(base.bits(), AllocationType::COMMIT),
    )
    .unwrap();
    let protect = Protection::READ_ONLY.bits();
    let change = ProtectRequest {
        address: base,
        size_bytes: 1,
        protect,
    };
    vmm.protect(mmu, protector, &change).unwrap();

    let Err(Resolution::AccessViolation(violation)) = machine.write(base.bits(), 1) else {
        panic!("the page is read-only")
    };

    assert_eq!(violation.rule, Rule::ReadOnly);
    assert_eq!(violation.history.reserved_by, Some(Origin(10)));
    assert_eq!(violation.history.committed_by, Some(Origin(20)));
    assert_eq!(violation.history.protected_by, Some(Origin(30)));
    let next = machine
        .vmm
        .history(machine.process, base.wrapping_add(PAGE));
    assert_eq!(next.protected_by, Some(Origin(20)));
}

#[test]
fn windows_9x_differs_where_the_documents_say_so() {
    let profile = Profile::Win9x;
    let mut machine = Machine::new(
        RAM,
        VmmConfig {
            profile,
            ..VmmConfig::default()
        },
    );
    let caller = machine.caller();
    let base = machine.commit(4 * PAGE, Protection::READ_WRITE);

    // A NULL pointer for the old protection.
    let protect = Protection::READ_ONLY.bits();
    let request = ProtectRequest {
        address: LinearAddr::new(base),
        size_bytes: 1,
        protect,
    };
    let null = LinearAddr::new(0);
    let old = machine
        .vmm
        .protect_and_store(&mut machine.mmu, caller, &request, null);
    assert_eq!(old, Ok(Protection::READ_WRITE));
    // A release of mixed states.
    machine.free(base, PAGE, MEM_DECOMMIT).unwrap();
    let mixed = machine.free(base, 0, MEM_RELEASE).unwrap_err();
    assert!(matches!(mixed, FreeError::MixedStates { .. }));
    machine.free(base, 0, MEM_DECOMMIT).unwrap();
    machine.free(base, 0, MEM_RELEASE).unwrap();
    // No guard pages.
    let guard = Protection::from_bits(0x104).unwrap();
    assert!(matches!(
        machine.try_commit(PAGE, guard),
        Err(AllocError::Protection(_))
    ));
    // VirtualLock succeeds and locks nothing.
    let base = machine.commit(64 * PAGE, Protection::READ_WRITE);
    machine.lock(base, 64 * PAGE).unwrap();
    assert_eq!(machine.vmm.locked_pages(machine.process), 0);
    // MEM_TOP_DOWN is ignored.
    let kind = AllocationType::RESERVE | AllocationType::TOP_DOWN;
    let top = machine
        .alloc(0, PAGE, kind, Protection::READ_WRITE)
        .unwrap();
    assert!(top < 0x0100_0000, "{top:#x}");
    assert!(!profile.has_ex_calls());
}

#[test]
fn nt_refuses_what_windows_9x_lets_pass() {
    let mut machine = machine();
    let caller = machine.caller();
    let base = machine.commit(4 * PAGE, Protection::READ_WRITE);
    let protect = Protection::READ_ONLY.bits();
    let request = ProtectRequest {
        address: LinearAddr::new(base),
        size_bytes: 1,
        protect,
    };
    let null = LinearAddr::new(0);

    let refused = machine
        .vmm
        .protect_and_store(&mut machine.mmu, caller, &request, null);

    assert_eq!(refused.unwrap_err().win32_code(), Win32Code::NOACCESS);
    assert_eq!(machine.query(base).protection, Some(Protection::READ_WRITE));
    let refused = machine.lock(base, 31 * PAGE).unwrap_err();
    assert!(
        matches!(refused, LockError::Inaccessible(_)),
        "the range leaves the allocation"
    );
    let base = machine.commit(64 * PAGE, Protection::READ_WRITE);
    machine.lock(base, 30 * PAGE).unwrap();
    let refused = machine.lock(base + 30 * PAGE, PAGE).unwrap_err();
    assert_eq!(
        refused,
        LockError::Quota {
            wanted_pages: 31,
            limit_pages: 30
        }
    );
}

#[test]
fn three_gib_of_user_space_can_be_had() {
    let user_space = UserSpace::ThreeGib;
    let mut machine = Machine::new(
        RAM,
        VmmConfig {
            user_space,
            ..VmmConfig::default()
        },
    );
    let kind = AllocationType::RESERVE | AllocationType::COMMIT;

    let base = machine
        .alloc(0xbffe_0000, 0x1_0000, kind, Protection::READ_WRITE)
        .unwrap();

    machine.write(base + 0xfffc, 1).unwrap();
    let refused = machine
        .alloc(0xbfff_0000, 1, kind, Protection::READ_WRITE)
        .unwrap_err();
    assert_eq!(refused.win32_code(), Win32Code::INVALID_PARAMETER);
    machine.audit("3 GiB");
}

#[test]
fn a_debuggers_write_into_a_view_that_may_not_write_copies_the_page() {
    let mut machine = machine();
    let (file, section) = file_section(&mut machine, 10_000, Protection::EXECUTE_READ_WRITE);
    let code = map(&mut machine, section, READ | EXECUTE).unwrap();
    let other = map(&mut machine, section, WRITE).unwrap();
    let before = machine.query(code).protection;

    let at = LinearAddr::new(code + 1);
    let (vmm, mmu, process) = (&mut machine.vmm, &mut machine.mmu, machine.process);
    vmm.write_process_memory(mmu, process, at, &[0xCC]).unwrap();

    assert_eq!(machine.read_u8(code + 1), Ok(0xCC));
    assert_eq!(machine.read_u8(other + 1), Ok(1));
    assert_eq!(machine.query(code).protection, before);
    let caller = machine.caller();
    for view in [code, other] {
        let (vmm, mmu) = (&mut machine.vmm, &mut machine.mmu);
        vmm.unmap_view(mmu, caller, LinearAddr::new(view)).unwrap();
    }
    machine.vmm.close_section(&machine.mmu, section);
    assert_eq!(contents(file)[1], 1);
    machine.audit("breakpoint in a view");
}

#[test]
fn writing_to_another_process_loads_its_tables_and_comes_back() {
    let mut machine = machine();
    let own = machine.commit(PAGE, Protection::READ_WRITE);
    machine.write(own, 0x11).unwrap();
    let child = machine.vmm.create_process(&mut machine.mmu).unwrap();
    let parent = std::mem::replace(&mut machine.process, child);
    let theirs = machine.commit(PAGE, Protection::READ_WRITE);
    machine.process = parent;
    assert_eq!(own, theirs, "the two spaces are independent");
    let cr3 = machine.mmu.control().cr3();

    let at = LinearAddr::new(theirs);
    let (vmm, mmu) = (&mut machine.vmm, &mut machine.mmu);
    vmm.write_process_memory(mmu, child, at, &[1, 2, 3, 4])
        .unwrap();
    let mut bytes = [0; 4];
    vmm.read_process_memory(mmu, child, at, &mut bytes).unwrap();

    assert_eq!(bytes, [1, 2, 3, 4]);
    assert_eq!(machine.read(own), Ok(0x11));
    assert_eq!(machine.mmu.control().cr3(), cr3);
    machine.audit("attached");
}

#[test]
fn an_image_cannot_be_freed_and_its_parts_are_protected_one_by_one() {
    let mut machine = machine();
    let caller = machine.caller();
    let base = LinearAddr::new(0x0040_0000);
    machine.vmm.map_image(caller, base, 3 * PAGE).unwrap();
    machine.write(0x0040_0000, 0x00c3_c3c3).unwrap();

    machine
        .protect(0x0040_0000, PAGE, Protection::EXECUTE_READ)
        .unwrap();
    machine
        .protect(0x0040_1000, PAGE, Protection::READ_ONLY)
        .unwrap();

    machine.fetch(0x0040_0000).unwrap();
    assert_eq!(
        rule(machine.write(0x0040_1000, 1).unwrap_err()),
        Rule::ReadOnly
    );
    let info = machine.query(0x0040_0000);
    assert_eq!(
        info.allocation.map(|found| found.kind),
        Some(RegionType::Image)
    );
    let request = FreeRequest {
        address: base,
        size_bytes: 0,
        free_type: MEM_RELEASE,
    };
    let refused = machine
        .vmm
        .free(&mut machine.mmu, caller, &request)
        .unwrap_err();
    assert_eq!(refused, FreeError::View { address: base });
}

#[test]
fn the_memory_map_and_status_add_up() {
    let mut machine = machine();
    let base = machine.commit(10 * PAGE, Protection::READ_WRITE);
    machine.write(base, 1).unwrap();
    machine.write(base + PAGE, 1).unwrap();
    machine.lock(base, PAGE).unwrap();
    machine
        .protect(base + 5 * PAGE, PAGE, Protection::READ_ONLY)
        .unwrap();

    let map = machine.vmm.memory_map(&machine.mmu, machine.process);

    let sizes: Vec<_> = map.iter().map(|run| run.info.size_bytes / PAGE).collect();
    assert_eq!(sizes, [5, 1, 4]);
    assert_eq!((map[0].resident_pages, map[0].locked_pages), (2, 1));
    let status = machine.vmm.memory_status(machine.process);
    assert_eq!(status.total_physical_bytes, RAM);
    let used = u64::from(10 * PAGE);
    assert_eq!(
        status.total_virtual_bytes - status.available_virtual_bytes,
        used
    );
}
