//! The memory access that an instruction of a row makes.

use pagefault_mmu::{LinearAddr, Mmu, PageFault, Privilege};

/// EAX and EDX before the instruction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inputs {
    pub(super) eax: u32,
    pub(super) edx: u32,
}

impl Inputs {
    /// What the registers hold where a row does not say.
    pub(super) const DEFAULT: Self = Self {
        eax: 0x1122_3344,
        edx: 0x5566_7788,
    };
}

/// What `CMPXCHG8B` stores: ECX:EBX.
const ECX_EBX: u64 = 0x2222_2222_1111_1111;
/// The immediate that `MOV [m], imm32` stores.
const IMMEDIATE: u32 = 0x1234_5678;

/// What an operation has done, as far as it can be told without a register file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Memory is as the access left it; EAX, where it is known, has this value.
    Known {
        /// EAX afterwards, if the instruction loads it.
        eax: Option<u32>,
    },
    /// The access was made, but what it stores is not known.
    MemoryUnknown,
}

/// Makes the instruction's access; `None` if this is no instruction that the runner knows.
pub(super) fn make(
    name: &str,
    mmu: &mut Mmu,
    addr: LinearAddr,
    privilege: Privilege,
    inputs: Inputs,
) -> Option<Result<Effect, PageFault>> {
    let mut access = Made {
        mmu,
        addr,
        privilege,
        inputs,
    };
    access.read(name)
}

/// The bits that an 8-bit or 16-bit load leaves of EAX.
const ABOVE_8: u32 = !0xFF;
const ABOVE_16: u32 = !0xFFFF;

struct Made<'a> {
    mmu: &'a mut Mmu,
    addr: LinearAddr,
    privilege: Privilege,
    inputs: Inputs,
}

type Outcome = Option<Result<Effect, PageFault>>;

impl Made<'_> {
    fn read(&mut self, name: &str) -> Outcome {
        let (addr, privilege, eax) = (self.addr, self.privilege, self.inputs.eax);
        let mmu = &mut *self.mmu;
        let loaded = |eax| Effect::Known { eax: Some(eax) };
        Some(match name {
            "rd8" => mmu
                .read::<u8>(addr, privilege)
                .map(|value| loaded(eax & ABOVE_8 | u32::from(value))),
            "rd16" => mmu
                .read::<u16>(addr, privilege)
                .map(|value| loaded(eax & ABOVE_16 | u32::from(value))),
            "rd32" => mmu.read(addr, privilege).map(loaded),
            "addrm" => mmu
                .read::<u32>(addr, privilege)
                .map(|value| loaded(eax.wrapping_add(value))),
            "cmp32" | "test32" | "pushm" => mmu.read::<u32>(addr, privilege).map(|_| UNCHANGED),
            "bt32" => mmu
                .read::<u32>(bit_string(addr, eax), privilege)
                .map(|_| UNCHANGED),
            _ => return self.write(name),
        })
    }

    #[expect(clippy::cast_possible_truncation, reason = "the low parts are stored")]
    fn write(&mut self, name: &str) -> Outcome {
        let (addr, privilege, eax) = (self.addr, self.privilege, self.inputs.eax);
        let mmu = &mut *self.mmu;
        let stored = match name {
            "wr8" => mmu.write(addr, eax as u8, privilege),
            "wr16" => mmu.write(addr, eax as u16, privilege),
            "wr32" | "movntdq" => mmu.write(addr, eax, privilege),
            "mov_imm" => mmu.write(addr, IMMEDIATE, privilege),
            // What it stores depends on the flags that the snippet starts with.
            "setnz8" => {
                let probed = mmu.probe_write::<u8>(addr, privilege);
                return Some(probed.map(|()| Effect::MemoryUnknown));
            }
            "popm" => {
                let probed = mmu.probe_write::<u32>(addr, privilege);
                return Some(probed.map(|()| Effect::MemoryUnknown));
            }
            "sgdtm" => {
                let limit = mmu.probe_write::<u16>(addr, privilege);
                let base =
                    limit.and_then(|()| mmu.probe_write::<u32>(addr.wrapping_add(2), privilege));
                return Some(base.map(|()| Effect::MemoryUnknown));
            }
            _ => return self.modify(name),
        };
        Some(stored.map(|_| UNCHANGED))
    }

    fn modify(&mut self, name: &str) -> Outcome {
        let (addr, privilege) = (self.addr, self.privilege);
        let Inputs { eax, edx } = self.inputs;
        let mmu = &mut *self.mmu;
        let name = name.strip_prefix("lk").unwrap_or(name);
        if let "cmpxchg8b" | "cmpxchg8beq" = name {
            let compared = u64::from(edx) << 32 | u64::from(eax);
            let edit = |value| if value == compared { ECX_EBX } else { value };
            return Some(mmu.modify(addr, privilege, edit).map(|_| UNCHANGED));
        }
        let edit: &dyn Fn(u32) -> u32 = match name {
            "add32" | "xadd32" => &|value| value.wrapping_add(eax),
            "and32" => &|value| value & eax,
            "or0" | "shl0" => &|value| value,
            "inc" | "inc32" => &|value| value.wrapping_add(1),
            "xchg32" => &|_| eax,
            "cmpxchg32" | "cmpxchg32eq" => &|value| if value == eax { edx } else { value },
            "bts32" => &|value| value | 1 << (eax & 31),
            _ => return None,
        };
        let addr = if name == "bts32" {
            bit_string(addr, eax)
        } else {
            addr
        };
        let mut before = 0;
        let modified = mmu.modify::<u32>(addr, privilege, |value| {
            before = value;
            edit(value)
        });
        let exchanges = matches!(name, "xchg32" | "xadd32");
        let eax = exchanges.then_some(before);
        Some(modified.map(|_| Effect::Known { eax }))
    }
}

/// Nothing but memory may have changed.
const UNCHANGED: Effect = Effect::Known { eax: None };

/// Returns the address of the dword that holds the bit of this number.
fn bit_string(addr: LinearAddr, bit: u32) -> LinearAddr {
    addr.wrapping_add((bit >> 5) * 4)
}
