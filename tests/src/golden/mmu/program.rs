//! A few instructions of a case, run by the interpreter on the case's tables.
//!
//! The code lies outside of the test region, as does a stack: on user pages for CPL 3, on
//! supervisor pages for CPL 0. It ends with an interrupt.

use pagefault_cpu::{
    Cpu, Descriptor, Eflags, Exit, NoObserver, Reg, Segment, SegmentRegister, Selector,
    TableRegister, Vector,
};
use pagefault_mmu::{AcFlag, LinearAddr, PageFault, Privilege};

use crate::golden::mmu::judge::{Differences, NotRun, Verdict, entry, hex};
use crate::golden::mmu::stage::{Stage, phys};
use crate::golden::table::Row;

/// `INT 80h`, which ends a program.
pub(super) const END: [u8; 2] = [0xCD, END_VECTOR];
const END_VECTOR: u8 = 0x80;
/// Where code starts in its page: what CALL pushes shows it.
const CODE_OFFSET: u32 = 0x380;
/// The offset of the first page of the stack from that of the code, and its pages.
const STACK_OFFSET: u32 = 0x1000;
const STACK_PAGES: u32 = 3;
/// What a POP finds at the top of the stack of most cases.
const ABOVE_STACK: u32 = 0xCAFE_0002;
/// No program runs longer.
const BUDGET: u64 = 1000;
/// The code segment of ring 0; those of ring 3 are there from the start.
const SUPERVISOR_CODE: Selector = Selector::new(0x08);
/// What SGDT shows.
const GDTR: TableRegister = TableRegister {
    base: LinearAddr::new(0x0010_13B8),
    limit: 0x37,
};
/// P, R/W and U/S.
const SUPERVISOR_PAGE: u64 = 0b011;
const USER_PAGE: u64 = 0b111;

/// Where the program of a ring lies: linear address, table, and the frames behind the table.
struct Place {
    code: u32,
    table: u32,
    rights: u64,
}

const USER_PLACE: Place = Place {
    code: 0x3000_0000,
    table: 0x0021_0000,
    rights: USER_PAGE,
};

const SUPERVISOR_PLACE: Place = Place {
    code: 0x0010_0000,
    table: 0x0021_8000,
    rights: SUPERVISOR_PAGE,
};

/// What a program starts with.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub(super) privilege: Privilege,
    pub(super) code: Vec<u8>,
    /// In the order of the encoding, EAX first. ESP counts from the page before the stack.
    pub(super) registers: [u32; 8],
    /// Beside those that the recorded programs happened to start with.
    pub(super) flags: Eflags,
}

/// How a program ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ended {
    /// At its interrupt.
    Done,
    /// With a page fault.
    PageFault(PageFault),
    /// Otherwise.
    Otherwise(Exit),
}

/// What a program left.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) ended: Ended,
    pub(super) eip: u32,
    pub(super) registers: [u32; 8],
    start: u32,
    before: [u32; 8],
    privilege: Privilege,
}

impl Program {
    /// Returns a program without registers at CPL 0 or 3; the code that ends it is added.
    pub(super) fn new(privilege: Privilege, code: &[u8]) -> Self {
        Self {
            privilege,
            code: [code, &END].concat(),
            registers: [0; 8],
            flags: Eflags::empty(),
        }
        .with(Reg::Esp, stack_top(privilege, 1))
    }

    /// Returns the program with another value in a register.
    pub(super) fn with(mut self, reg: Reg, value: u32) -> Self {
        self.registers[usize::from(reg.number())] = value;
        self
    }

    /// Runs the program on a stage that is set but not started, from its usual place.
    pub(super) fn run(&self, stage: &mut Stage) -> Result<Outcome, NotRun> {
        let place = place(self.privilege);
        self.settle(stage);
        self.run_at(stage, place.code + CODE_OFFSET)
    }

    /// Runs code that lies on the stage already.
    pub(super) fn run_at(&self, stage: &mut Stage, start: u32) -> Result<Outcome, NotRun> {
        stage.start()?;
        let mut cpu = Cpu::new();
        cpu.open_gate(Vector::new(END_VECTOR));
        let registers = cpu.registers_mut();
        for (reg, value) in Reg::ALL.into_iter().zip(self.registers) {
            registers.set_gpr(reg, value);
        }
        let mut flags = self.flags | flags_of(self.privilege);
        if stage.alignment_check() == AcFlag::Set {
            flags |= Eflags::ALIGNMENT_CHECK;
        }
        registers.set_eflags(flags);
        registers.set_eip(start);
        registers.set_gdtr(GDTR);
        if self.privilege == Privilege::Supervisor {
            let code = Segment::new(SUPERVISOR_CODE, Descriptor::FLAT_CODE);
            registers.set_segment(SegmentRegister::Cs, code);
        }
        let exit = cpu.run(&mut stage.mmu, BUDGET, &mut NoObserver);
        Ok(Outcome {
            ended: Ended::of(exit),
            eip: cpu.registers().eip(),
            registers: Reg::ALL.map(|reg| cpu.registers().gpr(reg)),
            start,
            before: self.registers,
            privilege: self.privilege,
        })
    }

    /// Puts code, stack and their tables into memory.
    fn settle(&self, stage: &mut Stage) {
        let place = place(self.privilege);
        stage.put(
            stage.pde_at(place.code),
            u64::from(place.table) | place.rights,
        );
        let pages = STACK_OFFSET / PAGE_BYTES + STACK_PAGES;
        for page in 0..pages {
            let entry_at = place.table + (place.code / PAGE_BYTES % ENTRIES + page) * ENTRY_BYTES;
            let frame = place.table + (page + 1) * PAGE_BYTES;
            stage.put(entry_at, u64::from(frame) | place.rights);
        }
        let frames = place.table + PAGE_BYTES;
        for (at, byte) in (frames + CODE_OFFSET..).zip(&self.code) {
            stage.mmu.mem_mut().write(phys(at), *byte);
        }
        let above = frames + 2 * STACK_OFFSET;
        stage.mmu.mem_mut().write(phys(above), ABOVE_STACK);
    }
}

const PAGE_BYTES: u32 = 0x1000;
/// Of two-level tables.
const ENTRIES: u32 = 1024;
const ENTRY_BYTES: u32 = 4;

impl Ended {
    fn of(exit: Exit) -> Self {
        match exit {
            Exit::Exception { exception, .. } if exception.vector.number() == END_VECTOR => {
                Self::Done
            }
            Exit::Exception { exception, .. } => exception
                .page_fault
                .map_or(Self::Otherwise(exit), Self::PageFault),
            _ => Self::Otherwise(exit),
        }
    }
}

/// Where a row tells what memory holds afterwards.
pub(super) struct Afterwards<'a> {
    /// The pages: column of the state, linear address, column of the entry.
    pub(super) pages: &'static [(&'static str, u32, &'static str)],
    /// Columns of dwords: the page, the offset.
    pub(super) memory: &'static [(&'static str, usize, u32)],
    /// Where the pages lie.
    pub(super) frames: &'a [u32],
}

impl Outcome {
    /// Compares everything that the row tells: how it ended, the entries, memory.
    pub(super) fn judge(&self, row: Row<'_>, stage: &Stage, after: &Afterwards<'_>) -> Verdict {
        let mut differences = Differences::default();
        self.compare(row, stage, &mut differences)?;
        for &(_, addr, column) in after.pages {
            if let Some(expected) = entry(row, column)? {
                differences.compare_entry(column, expected, stage.get(stage.pte_at(addr)));
            }
        }
        if let Some(expected) = entry(row, "pde_after")? {
            let at = stage.pde_at(after.pages[0].1);
            differences.compare_entry("pde_after", expected, stage.get(at));
        }
        for &(column, page, offset) in after.memory {
            let found = stage.dword(after.frames[page] + offset);
            differences.compare_hex(column, hex(row, column)?, found);
        }
        Ok(differences)
    }

    /// Compares the result, error code, CR2, EIP and registers with the row's columns.
    pub(super) fn compare(
        &self,
        row: Row<'_>,
        stage: &Stage,
        differences: &mut Differences,
    ) -> Result<(), NotRun> {
        match self.ended {
            Ended::Done => differences.compare_result(row, &stage.mmu, Ok(()))?,
            Ended::PageFault(fault) => {
                differences.compare_result(row, &stage.mmu, Err(fault))?;
                differences.compare_hex("eip", self.expected_eip(row)?, self.eip);
            }
            Ended::Otherwise(exit) => {
                differences.note("exit", &"the end or #PF", &format!("{exit:?}"));
            }
        }
        self.compare_registers(row, differences)
    }

    /// Returns EIP of the fault: an address, or `+n` from the start of the program.
    fn expected_eip(&self, row: Row<'_>) -> Result<u32, NotRun> {
        let text = row.get("eip").unwrap_or_default();
        match text.strip_prefix('+') {
            Some(offset) => offset
                .parse::<u32>()
                .map(|offset| self.start + offset)
                .map_err(|_| NotRun::Unreadable("eip")),
            None => hex(row, "eip"),
        }
    }

    /// Compares every register: with what the row lists, otherwise with what it was before. At CPL
    /// 0 each machine had a stack of its own, and rows are silent about ESP.
    fn compare_registers(&self, row: Row<'_>, differences: &mut Differences) -> Result<(), NotRun> {
        const NAMES: [&str; 8] = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"];
        let unreadable = NotRun::Unreadable("regs_changed");
        let mut expected = self.before;
        let mut is_esp_listed = false;
        for change in row.get("regs_changed").unwrap_or_default().split(' ') {
            let Some((name, digits)) = change.split_once('=') else {
                continue;
            };
            let index = NAMES.iter().position(|known| *known == name);
            let value = u32::from_str_radix(digits, 16).map_err(|_| unreadable)?;
            expected[index.ok_or(unreadable)?] = value;
            is_esp_listed |= name == "esp";
        }
        let knows_esp = self.privilege == Privilege::User || is_esp_listed;
        for (index, name) in NAMES.iter().enumerate() {
            if *name != "esp" || knows_esp {
                differences.compare_hex(name, expected[index], self.registers[index]);
            }
        }
        Ok(())
    }
}

/// Returns ESP with so many pages of stack below.
pub(super) fn stack_top(privilege: Privilege, pages: u32) -> u32 {
    place(privilege).code + STACK_OFFSET + pages * PAGE_BYTES
}

/// Returns the flags with which the recorded programs started: SETNZ shows them.
fn flags_of(privilege: Privilege) -> Eflags {
    match privilege {
        Privilege::User => Eflags::empty(),
        Privilege::Supervisor | Privilege::Implicit => Eflags::ZERO | Eflags::PARITY,
    }
}

fn place(privilege: Privilege) -> Place {
    match privilege {
        Privilege::User => USER_PLACE,
        Privilege::Supervisor | Privilege::Implicit => SUPERVISOR_PLACE,
    }
}
