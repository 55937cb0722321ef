//! The calls on sections, other processes' memory and global blocks.

use pagefault_vmm::mmu::LinearAddr;
use pagefault_vmm::{
    Handle, KernelObject, MapRequest, ProcessRights, ReadMemoryError, SectionRequest, Unlocked,
};

use crate::golden::vmm::calls::refused;
use crate::golden::vmm::stage::{Answer, Refusal, Stage};
use crate::golden::vmm::text::{BadOperand, Operands, Place};

/// Who says where a view goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Placement {
    /// The system: `MapViewOfFile`.
    System,
    /// The caller: `MapViewOfFileEx`.
    Given,
}

impl Stage {
    pub(super) fn dispatch_objects(&mut self, name: &str, operands: &mut Operands<'_>) -> Answer {
        match name {
            "section" => self.section(operands),
            "map" => self.map(operands, Placement::System),
            "mapat" => self.map(operands, Placement::Given),
            "unmap" => {
                let at = LinearAddr::new(operands.place()?.address);
                let caller = self.caller();
                self.vmm
                    .unmap_view(&mut self.mmu, caller, at)
                    .map_err(refused!())?;
                Ok(String::new())
            }
            "flushview" => {
                let at = LinearAddr::new(operands.place()?.address);
                let size_bytes = operands.place()?.address;
                let caller = self.caller();
                let flushed = self.vmm.flush_view(&mut self.mmu, caller, at, size_bytes);
                flushed.map_err(refused!())?;
                Ok(String::new())
            }
            "closeh" => {
                let handle = Handle(operands.place()?.address);
                let closed = self.vmm.close_handle(&self.mmu, self.process, handle);
                closed.map_err(refused!())?;
                Ok(String::new())
            }
            "rpm" => self.read_memory(operands),
            "wpm" => self.write_memory(operands),
            "galloc" | "gsize" | "gflags" | "glock" | "gunlock" | "grealloc" | "gfree" => {
                self.global(name, operands)
            }
            _ => Err(Refusal::Line(format!("unknown call {name}"))),
        }
    }

    fn section(&mut self, operands: &mut Operands<'_>) -> Answer {
        let name = operands.word()?;
        let size_bytes = u64::from(operands.number()?);
        let protect = operands.protection()?;
        let request = SectionRequest {
            size_bytes,
            protect,
            file: None,
        };
        let section = self.vmm.create_section(request).map_err(refused!())?;
        let handle = self
            .vmm
            .open_handle(self.process, KernelObject::Section(section));
        self.bind(name, handle.0);
        Ok(String::new())
    }

    fn map(&mut self, operands: &mut Operands<'_>, placement: Placement) -> Answer {
        let name = operands.word()?;
        let handle = Handle(operands.place()?.address);
        let access = operands.view_access()?;
        let offset_bytes = u64::from(operands.number()?);
        let size_bytes = operands.number()?;
        let place: Option<Place> = match placement {
            Placement::System => None,
            Placement::Given => Some(operands.place()?),
        };
        let address = LinearAddr::new(place.as_ref().map_or(0, |place| place.address));
        let section = self
            .vmm
            .section_behind(self.process, handle)
            .map_err(refused!())?;
        let request = MapRequest {
            access,
            offset_bytes,
            size_bytes,
            address,
        };
        let caller = self.caller();
        let base = self
            .vmm
            .map_view(caller, section, &request)
            .map_err(refused!())?
            .bits();
        self.bind(name, base);
        Ok(place.map_or(name.to_owned(), |place| place.tell_result(name, base)))
    }

    fn read_memory(&mut self, operands: &mut Operands<'_>) -> Answer {
        let target = self.target(operands.word()?, ProcessRights::VM_READ)?;
        let at = LinearAddr::new(operands.place()?.address);
        let size_bytes = operands.number()?;
        let mut bytes = vec![0; size_bytes as usize];
        let read = self
            .vmm
            .read_process_memory(&mut self.mmu, target.process, at, &mut bytes);
        match read {
            Ok(()) => {
                let first = bytes.first().copied().unwrap_or_default();
                let last = bytes.last().copied().unwrap_or_default();
                Ok(format!(
                    "n={size_bytes:#x} first={first:#04x} last={last:#04x}"
                ))
            }
            Err(error @ (ReadMemoryError::Partial(_) | ReadMemoryError::Wraps { .. })) => {
                Err(Refusal::Line(format!("fail {} n=0x0", error.win32_code())))
            }
        }
    }

    fn write_memory(&mut self, operands: &mut Operands<'_>) -> Answer {
        let needed = ProcessRights::VM_WRITE | ProcessRights::VM_OPERATION;
        let target = self.target(operands.word()?, needed)?;
        let at = LinearAddr::new(operands.place()?.address);
        let size_bytes = operands.number()?;
        let bytes = vec![operands.number()?.to_le_bytes()[0]; size_bytes as usize];
        let written = self
            .vmm
            .write_process_memory(&mut self.mmu, target.process, at, &bytes);
        written.map_err(refused!())?;
        Ok(format!("n={size_bytes:#x}"))
    }

    fn global(&mut self, name: &str, operands: &mut Operands<'_>) -> Answer {
        let caller = self.caller();
        if name == "galloc" {
            let symbol = operands.word()?;
            let (flags, size_bytes) = (operands.global_flags()?, operands.number()?);
            let handle = self
                .vmm
                .global_alloc(&mut self.mmu, caller, flags, size_bytes);
            self.bind(symbol, handle.map_err(refused!())?.bits());
            return Ok(String::new());
        }
        let handle = LinearAddr::new(operands.place()?.address);
        match name {
            "gsize" => {
                let size_bytes = self.vmm.global_size(caller, handle).map_err(refused!())?;
                Ok(format!("{size_bytes:#x}"))
            }
            "gflags" => {
                let flags = self.vmm.global_flags(caller, handle).map_err(refused!())?;
                Ok(format!("{flags:#x}"))
            }
            "glock" => {
                let block = self.vmm.global_lock(caller, handle).map_err(refused!())?;
                self.bind(operands.word()?, block.bits());
                Ok(if block == handle { "same" } else { "other" }.to_owned())
            }
            "gunlock" => {
                let left = self.vmm.global_unlock(caller, handle).map_err(refused!())?;
                Ok(if left == Unlocked::Now { "0" } else { "1" }.to_owned())
            }
            "grealloc" => {
                let (size_bytes, flags) = (operands.number()?, operands.global_flags()?);
                let (vmm, mmu) = (&mut self.vmm, &mut self.mmu);
                let moved = vmm.global_realloc(mmu, caller, handle, size_bytes, flags);
                moved.map_err(refused!())?;
                Ok(String::new())
            }
            "gfree" => {
                self.vmm.global_free(caller, handle).map_err(refused!())?;
                Ok(String::new())
            }
            _ => Err(BadOperand(name.to_owned()).into()),
        }
    }
}
