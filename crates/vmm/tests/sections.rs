//! Views against a slow model, on random calls under pressure.

mod common;

use common::Machine;
use pagefault_vmm::mmu::{LinearAddr, PAGE_SIZE};
use pagefault_vmm::{
    AllocationType, Caller, MapRequest, MemoryStore, PagingMode, PolicyKind, Protection,
    Resolution, SectionId, SectionRequest, VmmConfig,
};
use proptest::prelude::*;

/// Pages of the section. RAM holds fewer.
const PAGES: u32 = 48;
const RAM_PAGES: u64 = 24;
/// Views at a time.
const VIEWS: usize = 4;
const SEC_RESERVE: u32 = 0x0400_0000;

#[derive(Clone, Debug)]
enum Call {
    Map {
        view: usize,
        access: u32,
        first: u32,
        len: u32,
    },
    Unmap {
        view: usize,
    },
    Commit {
        view: usize,
        page: u32,
        len: u32,
        protect: u32,
    },
    Protect {
        view: usize,
        page: u32,
        len: u32,
        protect: u32,
    },
    Write {
        view: usize,
        page: u32,
        value: u32,
    },
    Read {
        view: usize,
        page: u32,
    },
    EmptyWorkingSet,
}

fn call() -> impl Strategy<Value = Call> {
    let view = || 0..VIEWS;
    let page = || 0..PAGES;
    let access =
        prop_oneof![4 => Just(2_u32), 2 => Just(4_u32), 3 => Just(1_u32), 1 => Just(0_u32)];
    let protect = || {
        prop_oneof![
            Just(0x04_u32),
            Just(0x02_u32),
            Just(0x01_u32),
            Just(0x08_u32),
            Just(0x104_u32)
        ]
    };
    prop_oneof![
        2 => (view(), access, 0..3_u32, 0..PAGES + 2)
            .prop_map(|(view, access, first, len)| Call::Map { view, access, first: first * 16, len }),
        1 => view().prop_map(|view| Call::Unmap { view }),
        2 => (view(), page(), 1..8_u32, protect())
            .prop_map(|(view, page, len, protect)| Call::Commit { view, page, len, protect }),
        2 => (view(), page(), 1..8_u32, protect())
            .prop_map(|(view, page, len, protect)| Call::Protect { view, page, len, protect }),
        8 => (view(), page(), 1..u32::MAX)
            .prop_map(|(view, page, value)| Call::Write { view, page, value }),
        8 => (view(), page()).prop_map(|(view, page)| Call::Read { view, page }),
        1 => Just(Call::EmptyWorkingSet),
    ]
}

/// A page of a view: its protection, and its own contents once it was copied.
#[derive(Clone, Debug)]
struct Shown {
    protect: u32,
    own: Option<u32>,
}

#[derive(Clone, Debug)]
struct View {
    base: u32,
    first: u32,
    rights: u32,
    pages: Vec<Shown>,
}

/// The model: one word of contents for each page.
struct Model {
    section: Vec<Option<u32>>,
    views: [Option<View>; VIEWS],
}

const AV: u32 = 0xC000_0005;
const GUARD_HIT: u32 = 0x8000_0001;

/// What a view mapped with these rights can be changed to, the section being READWRITE.
fn accepts(rights: u32, protect: u32) -> bool {
    match (rights, protect & 0xff) {
        (1, protect) => protect == 1,
        (_, 4) => rights == 4,
        _ => true,
    }
}

impl Model {
    fn change(
        &mut self,
        view: usize,
        page: u32,
        len: u32,
        protect: u32,
        commits: bool,
    ) -> Result<u32, u32> {
        let section = &mut self.section;
        let Some(view) = &mut self.views[view] else {
            return Err(0);
        };
        let count = u32::try_from(view.pages.len()).unwrap();
        if page + len > count {
            return Err(487);
        }
        if !accepts(view.rights, protect) {
            return Err(87);
        }
        let indices = view.first + page..view.first + page + len;
        if commits {
            for index in indices {
                section[index as usize].get_or_insert(0);
            }
        } else if indices
            .into_iter()
            .any(|index| section[index as usize].is_none())
        {
            return Err(487);
        }
        let old = view.pages[page as usize].protect;
        for shown in &mut view.pages[page as usize..(page + len) as usize] {
            let is_copied = shown.own.is_some() && protect & 0xff == 8;
            shown.protect = if is_copied {
                protect & !0xff | 4
            } else {
                protect
            };
        }
        Ok(old)
    }

    fn touch(&mut self, view: usize, page: u32, value: Option<u32>) -> Result<u32, u32> {
        let section = &mut self.section;
        let Some(view) = &mut self.views[view] else {
            return Err(0);
        };
        let index = (view.first + page) as usize;
        let Some(shown) = view.pages.get_mut(page as usize) else {
            return Err(0);
        };
        let Some(contents) = section[index].as_mut() else {
            return Err(AV);
        };
        if shown.protect & 0x100 != 0 {
            shown.protect &= !0x100;
            return Err(GUARD_HIT);
        }
        match (shown.protect, value) {
            (1, _) | (2, Some(_)) => Err(AV),
            (8, Some(value)) => {
                *shown = Shown {
                    protect: 4,
                    own: Some(value),
                };
                Ok(0)
            }
            (_, Some(value)) => {
                *shown.own.as_mut().unwrap_or(contents) = value;
                Ok(0)
            }
            (_, None) => Ok(shown.own.unwrap_or(*contents)),
        }
    }
}

fn exception(refused: Resolution) -> u32 {
    match refused {
        Resolution::AccessViolation(_) => AV,
        Resolution::GuardPage(_) => GUARD_HIT,
        other => panic!("{other:?}"),
    }
}

fn map(
    machine: &mut Machine,
    section: SectionId,
    access: u32,
    first: u32,
    len: u32,
) -> Option<u32> {
    let request = MapRequest {
        access,
        offset_bytes: u64::from(first * PAGE_SIZE),
        size_bytes: len * PAGE_SIZE,
        address: LinearAddr::new(0),
    };
    let caller = Caller::of(machine.process);
    machine
        .vmm
        .map_view(caller, section, &request)
        .ok()
        .map(LinearAddr::bits)
}

fn play(paging: PagingMode, replacement: PolicyKind, reserve: bool, calls: &[Call]) {
    let config = VmmConfig {
        paging,
        replacement,
        ..VmmConfig::default()
    };
    let mut machine = Machine::new(RAM_PAGES * u64::from(PAGE_SIZE), config);
    machine
        .vmm
        .set_paging_file(Box::new(MemoryStore::new()), 1024);
    let flags = if reserve { SEC_RESERVE } else { 0 };
    let protect = Protection::READ_WRITE.bits() | flags;
    let size_bytes = u64::from(PAGES * PAGE_SIZE);
    let request = SectionRequest {
        size_bytes,
        protect,
        file: None,
    };
    let section = machine.vmm.create_section(request).unwrap();
    let contents = if reserve { None } else { Some(0) };
    let mut model = Model {
        section: vec![contents; PAGES as usize],
        views: [const { None }; VIEWS],
    };
    for (step, call) in calls.iter().enumerate() {
        make(&mut machine, &mut model, section, call, step);
        machine.audit("after a call");
    }
    let last = machine.vmm.create_process(&mut machine.mmu).unwrap();
    machine.vmm.switch_to(&mut machine.mmu, last);
    machine
        .vmm
        .destroy_process(&mut machine.mmu, machine.process);
    machine.vmm.close_section(&machine.mmu, section);
    machine.audit("at the end");
    assert_eq!(machine.vmm.paging_file_slots().0, 0);
}

#[expect(clippy::too_many_lines, reason = "an arm for each call")]
fn make(machine: &mut Machine, model: &mut Model, section: SectionId, call: &Call, step: usize) {
    match *call {
        Call::Map {
            view,
            access,
            first,
            len,
        } => {
            if model.views[view].is_none() {
                make_view(machine, model, section, (view, access, first, len));
            }
        }
        Call::Unmap { view } => {
            if let Some(view) = model.views[view].take() {
                let at = LinearAddr::new(view.base + PAGE_SIZE / 2);
                let caller = machine.caller();
                machine
                    .vmm
                    .unmap_view(&mut machine.mmu, caller, at)
                    .unwrap();
            }
        }
        Call::Commit {
            view,
            page,
            len,
            protect,
        } => {
            let Some(base) = base(model, view, page) else {
                return;
            };
            let predicted = model.change(view, page, len, protect, true).map(|_| ());
            let protection = Protection::from_bits(protect).unwrap();
            let (at, size) = (base + page * PAGE_SIZE, len * PAGE_SIZE);
            let made = machine.alloc(at, size, AllocationType::COMMIT, protection);
            let made = made.map(|_| ()).map_err(|error| error.win32_code().get());
            assert_eq!(made, predicted, "step {step}: {call:?}");
        }
        Call::Protect {
            view,
            page,
            len,
            protect,
        } => {
            let Some(base) = base(model, view, page) else {
                return;
            };
            let predicted = model.change(view, page, len, protect, false);
            let protection = Protection::from_bits(protect).unwrap();
            let made = machine.protect(base + page * PAGE_SIZE, len * PAGE_SIZE, protection);
            let made = made
                .map(Protection::bits)
                .map_err(|error| error.win32_code().get());
            assert_eq!(made, predicted, "step {step}: {call:?}");
        }
        Call::Write { view, page, value } => {
            let Some(at) = place(model, view, page) else {
                return;
            };
            let predicted = model.touch(view, page, Some(value));
            let made = machine.write(at, value).map(|()| 0).map_err(exception);
            assert_eq!(made, predicted, "step {step}: {call:?}");
        }
        Call::Read { view, page } => {
            let Some(at) = place(model, view, page) else {
                return;
            };
            let predicted = model.touch(view, page, None);
            let made = machine.read(at).map_err(exception);
            assert_eq!(made, predicted, "step {step}: {call:?}");
        }
        Call::EmptyWorkingSet => {
            let process = machine.process;
            machine
                .vmm
                .set_working_set(&mut machine.mmu, process, u32::MAX, u32::MAX)
                .unwrap();
        }
    }
}

fn make_view(
    machine: &mut Machine,
    model: &mut Model,
    section: SectionId,
    (view, access, first, len): (usize, u32, u32, u32),
) {
    let count = if len == 0 { PAGES - first } else { len };
    let base = map(machine, section, access, first, len);
    assert_eq!(base.is_some(), first + count <= PAGES, "{first} {len}");
    let rights = match access {
        1 => 8,
        2 => 4,
        4 => 2,
        _ => 1,
    };
    let shown = Shown {
        protect: rights,
        own: None,
    };
    let pages = vec![shown; count as usize];
    model.views[view] = base.map(|base| View {
        base,
        first,
        rights,
        pages,
    });
}

/// Returns the view's base, if the page is in it.
fn base(model: &Model, view: usize, page: u32) -> Option<u32> {
    let view = model.views[view].as_ref()?;
    ((page as usize) < view.pages.len()).then_some(view.base)
}

fn place(model: &Model, view: usize, page: u32) -> Option<u32> {
    Some(base(model, view, page)? + page * PAGE_SIZE + 16)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn views_show_what_the_model_shows(
        calls in prop::collection::vec(call(), 1..150),
        pae in any::<bool>(),
        reserve in any::<bool>(),
        policy in 0..PolicyKind::NAMES.len(),
    ) {
        let paging = if pae { PagingMode::Pae } else { PagingMode::TwoLevel };
        play(paging, PolicyKind::NAMES[policy].1, reserve, &calls);
    }
}
