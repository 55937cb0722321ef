//! The calls on private memory, and the accesses.

use pagefault_vmm::mmu::LinearAddr;
use pagefault_vmm::{
    ALLOCATION_GRANULARITY, AllocRequest, Caller, FreeRequest, MemoryInfo, MemoryState, Pointer,
    ProcessRights, ProtectRequest, ResetAfter, Win32Code,
};

use crate::golden::vmm::stage::{Answer, Refusal, Stage};
use crate::golden::vmm::text::{self, Operands, Place, hex};

/// Turns the error of a call into what it prints.
macro_rules! refused {
    () => {
        |error| Refusal::Error(error.win32_code())
    };
}
pub(super) use refused;

/// The order in which `query` prints its fields.
const FIELDS: [&str; 7] = ["base", "alloc", "aprot", "size", "state", "prot", "type"];

impl Stage {
    pub(super) fn dispatch(&mut self, name: &str, operands: &mut Operands<'_>) -> Answer {
        let own = self.caller();
        let operation = ProcessRights::VM_OPERATION;
        match name {
            "alloc" => self.alloc(own, operands),
            "allocex" => self
                .target(operands.word()?, operation)
                .and_then(|target| self.alloc(target, operands)),
            "free" => self.free(own, operands),
            "freeex" => self
                .target(operands.word()?, operation)
                .and_then(|target| self.free(target, operands)),
            "protect" => self.protect(own, operands),
            "protectex" => self
                .target(operands.word()?, operation)
                .and_then(|target| self.protect(target, operands)),
            "protectnull" => self.protect_to(operands, Some(LinearAddr::new(0))),
            "protectto" => self.protect_to(operands, None),
            "query" => self.query(own, operands),
            "queryex" => {
                let target = self.target(operands.word()?, ProcessRights::QUERY_INFORMATION)?;
                self.query(target, operands)
            }
            "querylen" => self.query_len(operands),
            "queryto" => self.query_to(operands),
            "lock" | "unlock" => self.lock(name, operands),
            "setws" | "getws" => self.working_set(name, operands),
            "read" | "read2" | "read4" => self.read(name, &operands.place()?),
            "write" | "write2" | "write4" => self.write(name, operands),
            "rmw" => {
                let place = operands.place()?;
                let add_1 = |byte: u8| byte.wrapping_add(1);
                self.user(&place, |mmu, at| mmu.modify(at, Self::USER, add_1))?;
                Ok(String::new())
            }
            "exec" => {
                let place = operands.place()?;
                self.user(&place, |mmu, at| mmu.fetch_page(at, Self::USER))?;
                Ok(String::new())
            }
            "fill" | "zeros" => self.contents(name, operands),
            "writewatch" | "resetww" => self.write_watch(name, operands),
            "badread" | "badwrite" | "badcode" | "badstring" => self.bad_pointer(name, operands),
            "hole" | "let" | "above" | "sysinfo" => self.symbols(name, operands),
            _ => self.dispatch_objects(name, operands),
        }
    }

    /// Binds a symbol, unless its name is `-`.
    pub(super) fn bind(&mut self, name: &str, value: u32) {
        if name != "-" {
            self.symbols.insert(name.to_owned(), value);
        }
    }

    fn alloc(&mut self, caller: Caller, operands: &mut Operands<'_>) -> Answer {
        let name = operands.word()?;
        let place = operands.place()?;
        let request = AllocRequest {
            address: LinearAddr::new(place.address),
            size_bytes: operands.place()?.address,
            allocation_type: operands.kind()?,
            protect: operands.protection()?,
        };
        let base = self
            .vmm
            .alloc(&mut self.mmu, caller, &request)
            .map_err(refused!())?
            .bits();
        self.bind(name, base);
        let told = place.tell_result(name, base);
        let is_aligned = place.address != 0 || base.is_multiple_of(ALLOCATION_GRANULARITY);
        Ok(if is_aligned {
            told
        } else {
            format!("{told} unaligned")
        })
    }

    fn free(&mut self, caller: Caller, operands: &mut Operands<'_>) -> Answer {
        let request = FreeRequest {
            address: LinearAddr::new(operands.place()?.address),
            size_bytes: operands.place()?.address,
            free_type: operands.kind()?,
        };
        self.vmm
            .free(&mut self.mmu, caller, &request)
            .map_err(refused!())?;
        Ok(String::new())
    }

    fn protect_request(operands: &mut Operands<'_>) -> Result<ProtectRequest, Refusal> {
        Ok(ProtectRequest {
            address: LinearAddr::new(operands.place()?.address),
            size_bytes: operands.place()?.address,
            protect: operands.protection()?,
        })
    }

    fn protect(&mut self, caller: Caller, operands: &mut Operands<'_>) -> Answer {
        let request = Self::protect_request(operands)?;
        let scratch = self.scratch;
        let old = self
            .vmm
            .protect_and_store(&mut self.mmu, caller, &request, scratch);
        let old = old.map_err(refused!())?;
        let stored = self.vmm.read_u32(&mut self.mmu, scratch);
        if stored != Ok(old.bits()) {
            return Err(Refusal::Line(format!("stored {stored:?} for {old}")));
        }
        Ok(format!("old={}", text::protection(Some(old))))
    }

    /// `VirtualProtect` with a pointer of the scenario's.
    fn protect_to(&mut self, operands: &mut Operands<'_>, to: Option<LinearAddr>) -> Answer {
        let request = Self::protect_request(operands)?;
        let to = match to {
            Some(to) => to,
            None => LinearAddr::new(operands.place()?.address),
        };
        let caller = self.caller();
        let old = self
            .vmm
            .protect_and_store(&mut self.mmu, caller, &request, to);
        old.map_err(refused!())?;
        Ok(String::new())
    }

    fn query(&mut self, caller: Caller, operands: &mut Operands<'_>) -> Answer {
        let place = operands.place()?;
        let at = LinearAddr::new(place.address);
        let info = self
            .vmm
            .query(&self.mmu, caller.process, at)
            .map_err(refused!())?;
        let is_free = info.state == MemoryState::Free;
        let wanted = operands.optional();
        let is_wanted = |field: &str| match wanted {
            Some(fields) => fields.split(',').any(|wanted| wanted == field),
            None => !(is_free && field == "size"),
        };
        let fields = FIELDS.into_iter().filter(|field| is_wanted(field));
        let told: Vec<_> = fields
            .map(|field| format!("{field}={}", tell_field(&place, &info, field)))
            .collect();
        Ok(told.join(" "))
    }

    fn query_len(&mut self, operands: &mut Operands<'_>) -> Answer {
        let at = LinearAddr::new(operands.place()?.address);
        let len_bytes = operands.number()?;
        let (process, scratch) = (self.process, self.scratch);
        let answered = self
            .vmm
            .query_and_store(&mut self.mmu, process, at, scratch, len_bytes);
        Ok(answered.map_err(refused!())?.to_string())
    }

    fn query_to(&mut self, operands: &mut Operands<'_>) -> Answer {
        let at = LinearAddr::new(operands.place()?.address);
        let buffer = LinearAddr::new(operands.place()?.address);
        let len_bytes = pagefault_vmm::MEMORY_BASIC_INFORMATION_BYTES;
        let process = self.process;
        let answered = self
            .vmm
            .query_and_store(&mut self.mmu, process, at, buffer, len_bytes);
        Ok(answered.map_err(refused!())?.to_string())
    }

    fn lock(&mut self, name: &str, operands: &mut Operands<'_>) -> Answer {
        let at = LinearAddr::new(operands.place()?.address);
        let size_bytes = operands.place()?.address;
        let caller = self.caller();
        if name == "lock" {
            self.vmm
                .lock(&mut self.mmu, caller, at, size_bytes)
                .map_err(refused!())?;
        } else {
            self.vmm
                .unlock(&self.mmu, caller, at, size_bytes)
                .map_err(refused!())?;
        }
        Ok(String::new())
    }

    fn working_set(&mut self, name: &str, operands: &mut Operands<'_>) -> Answer {
        let process = self.process;
        if name == "getws" {
            let limits = self.vmm.working_set(process).limits;
            let (minimum, maximum) = (limits.minimum_bytes(), limits.maximum_bytes());
            return Ok(format!("min={minimum:#x} max={maximum:#x}"));
        }
        let (minimum, maximum) = (operands.number()?, operands.number()?);
        let set = self
            .vmm
            .set_working_set(&mut self.mmu, process, minimum, maximum);
        set.map_err(refused!())?;
        Ok(String::new())
    }

    fn read(&mut self, name: &str, place: &Place) -> Answer {
        Ok(match name {
            "read" => {
                let value = self.user(place, |mmu, at| mmu.read::<u8>(at, Self::USER))?;
                format!("{value:#04x}")
            }
            "read2" => {
                let value = self.user(place, |mmu, at| mmu.read::<u16>(at, Self::USER))?;
                format!("{value:#06x}")
            }
            _ => {
                let value = self.user(place, |mmu, at| mmu.read::<u32>(at, Self::USER))?;
                format!("{value:#010x}")
            }
        })
    }

    fn write(&mut self, name: &str, operands: &mut Operands<'_>) -> Answer {
        let place = operands.place()?;
        let value = operands.number()?;
        let [byte_0, byte_1, ..] = value.to_le_bytes();
        let low = u16::from_le_bytes([byte_0, byte_1]);
        match name {
            "write" => {
                self.user(&place, |mmu, at| mmu.write(at, byte_0, Self::USER))?;
            }
            "write2" => {
                self.user(&place, |mmu, at| mmu.write(at, low, Self::USER))?;
            }
            _ => {
                self.user(&place, |mmu, at| mmu.write(at, value, Self::USER))?;
            }
        }
        Ok(String::new())
    }

    fn contents(&mut self, name: &str, operands: &mut Operands<'_>) -> Answer {
        let at = LinearAddr::new(operands.place()?.address);
        let mut bytes = vec![0; operands.place()?.address as usize];
        if name == "fill" {
            bytes.fill(operands.number()?.to_le_bytes()[0]);
            self.vmm
                .copy_out(&mut self.mmu, at, &bytes)
                .map_err(refused!())?;
            return Ok(String::new());
        }
        self.vmm
            .copy_in(&mut self.mmu, at, &mut bytes)
            .map_err(refused!())?;
        let is_zero = bytes.iter().all(|&byte| byte == 0);
        Ok(if is_zero { "zero" } else { "nonzero" }.to_owned())
    }

    fn write_watch(&mut self, name: &str, operands: &mut Operands<'_>) -> Answer {
        let place = operands.place()?;
        let at = LinearAddr::new(place.address);
        let size_bytes = operands.place()?.address;
        let process = self.process;
        if name == "resetww" {
            let reset = self
                .vmm
                .reset_write_watch(&mut self.mmu, process, at, size_bytes);
            reset.map_err(refused!())?;
            return Ok(String::new());
        }
        let reset = ResetAfter::from_bits(operands.number()?).map_err(refused!())?;
        let count = operands.number()?;
        let pages = self
            .vmm
            .write_watch(&mut self.mmu, process, at, size_bytes, reset, count);
        let pages = pages.map_err(refused!())?;
        let told = pages
            .iter()
            .map(|page| format!(" {}", place.tell(page.start().bits())));
        Ok(format!(
            "n={} gran=0x1000{}",
            pages.len(),
            told.collect::<String>()
        ))
    }

    fn bad_pointer(&mut self, name: &str, operands: &mut Operands<'_>) -> Answer {
        let at = LinearAddr::new(operands.place()?.address);
        let (vmm, mmu) = (&mut self.vmm, &mut self.mmu);
        let found = match name {
            "badread" => vmm.is_bad_read_ptr(mmu, at, operands.number()?),
            "badwrite" => vmm.is_bad_write_ptr(mmu, at, operands.number()?),
            "badcode" => vmm.is_bad_code_ptr(mmu, at),
            _ => vmm.is_bad_string_ptr(mmu, at, operands.number()?),
        };
        Ok(if found == Pointer::Bad { "1" } else { "0" }.to_owned())
    }

    fn symbols(&mut self, name: &str, operands: &mut Operands<'_>) -> Answer {
        match name {
            "hole" => {
                let symbol = operands.word()?;
                let size_bytes = operands.number()?;
                let found = self.vmm.find_free(self.process, size_bytes);
                let at = found.ok_or(Refusal::Error(Win32Code::NOT_ENOUGH_MEMORY))?;
                self.bind(symbol, at.bits());
                Ok(symbol.to_owned())
            }
            "let" => {
                let symbol = operands.word()?;
                let value = operands.place()?.address;
                self.bind(symbol, value);
                Ok(String::new())
            }
            "above" => {
                let is_above = operands.place()?.address > operands.place()?.address;
                Ok(u32::from(is_above).to_string())
            }
            _ => {
                let user = self.vmm.config().user_space;
                let (lowest, highest) = (user.lowest().bits(), user.highest().bits());
                let page = pagefault_vmm::mmu::PAGE_SIZE;
                let gran = ALLOCATION_GRANULARITY;
                Ok(format!(
                    "page={page:#x} gran={gran:#x} min={lowest:#x} max={highest:#x}"
                ))
            }
        }
    }
}

fn tell_field(place: &Place, info: &MemoryInfo, field: &str) -> String {
    let allocation = info.allocation.as_ref();
    match field {
        "base" => place.tell(info.base.bits()),
        "alloc" => place.tell(allocation.map_or(0, |allocation| allocation.base.bits())),
        "aprot" => text::protection(allocation.map(|allocation| allocation.protection)),
        "size" => hex(info.size_bytes),
        "state" => info.state.name().to_owned(),
        "prot" => text::protection(info.protection),
        _ => allocation
            .map_or("0", |allocation| allocation.kind.name())
            .to_owned(),
    }
}
