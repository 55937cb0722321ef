//! Handles to processes and sections, and what may be done through them.

use std::collections::BTreeMap;

use bitflags::bitflags;
use pagefault_mmu::{Mmu, Observer};
use thiserror::Error;

use crate::section::SectionId;
use crate::space::ProcessId;
use crate::vmm::Vmm;
use crate::win32::Win32Code;

bitflags! {
    /// Access rights of a process handle.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct ProcessRights: u32 {
        /// `PROCESS_VM_OPERATION`: allocate, free, protect, and write.
        const VM_OPERATION = 0x0008;
        /// `PROCESS_VM_READ`
        const VM_READ = 0x0010;
        /// `PROCESS_VM_WRITE`
        const VM_WRITE = 0x0020;
        /// `PROCESS_SET_QUOTA`: set the working-set size.
        const SET_QUOTA = 0x0100;
        /// `PROCESS_QUERY_INFORMATION`
        const QUERY_INFORMATION = 0x0400;
    }
}

/// A handle as a program holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(pub u32);

impl Handle {
    /// What `GetCurrentProcess` returns: the caller's own process, with all rights.
    pub const CURRENT_PROCESS: Self = Self(u32::MAX);
}

/// What a handle refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KernelObject {
    /// A process, with the rights of this handle.
    Process {
        /// The process.
        process: ProcessId,
        /// What may be done through the handle.
        rights: ProcessRights,
    },
    /// A section.
    Section(SectionId),
}

/// A handle does not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HandleError {
    /// It refers to nothing, or to another kind of object.
    #[error("handle {:#x} is no such object", .0.0)]
    Invalid(Handle),
    /// It lacks a right.
    #[error("handle {:#x} lacks {missing:?}", handle.0)]
    AccessDenied {
        /// The handle.
        handle: Handle,
        /// The rights that it lacks.
        missing: ProcessRights,
    },
}

impl HandleError {
    /// Returns the error code that `GetLastError` then gives.
    pub const fn win32_code(self) -> Win32Code {
        match self {
            Self::Invalid(_) => Win32Code::INVALID_HANDLE,
            Self::AccessDenied { .. } => Win32Code::ACCESS_DENIED,
        }
    }
}

/// The handles of a process. Values are multiples of 4, as on Windows.
#[derive(Clone, Debug)]
pub(crate) struct HandleTable {
    objects: BTreeMap<Handle, KernelObject>,
    next: u32,
}

/// The first handle that is given out; lower ones are left to whoever numbers other objects.
const FIRST_HANDLE: u32 = 0x1000;
const HANDLE_STEP: u32 = 4;

impl Default for HandleTable {
    fn default() -> Self {
        Self {
            objects: BTreeMap::new(),
            next: FIRST_HANDLE,
        }
    }
}

impl Vmm {
    /// Gives `owner` a handle to an object.
    ///
    /// A section's own reference, counted when it is made, goes to the first handle to it; each
    /// further handle needs [`Vmm::reference_section`].
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn open_handle(&mut self, owner: ProcessId, object: KernelObject) -> Handle {
        let table = &mut self.space_mut(owner).handles;
        let handle = Handle(table.next);
        table.next = table.next.wrapping_add(HANDLE_STEP);
        table.objects.insert(handle, object);
        handle
    }

    /// Returns how many handles a process has.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn handle_count(&self, owner: ProcessId) -> usize {
        self.space(owner).handles.objects.len()
    }

    /// `CloseHandle`.
    ///
    /// # Errors
    ///
    /// [`HandleError::Invalid`].
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn close_handle<O: Observer>(
        &mut self,
        mmu: &Mmu<O>,
        owner: ProcessId,
        handle: Handle,
    ) -> Result<(), HandleError> {
        let object = self.space_mut(owner).handles.objects.remove(&handle);
        match object.ok_or(HandleError::Invalid(handle))? {
            KernelObject::Section(id) => self.close_section(mmu, id),
            KernelObject::Process { .. } => {}
        }
        Ok(())
    }

    /// Returns the process behind a handle of `owner`, if the handle has the rights `needed`.
    ///
    /// # Errors
    ///
    /// [`HandleError`].
    ///
    /// # Panics
    ///
    /// If `owner` does not exist.
    pub fn process_behind(
        &self,
        owner: ProcessId,
        handle: Handle,
        needed: ProcessRights,
    ) -> Result<ProcessId, HandleError> {
        if handle == Handle::CURRENT_PROCESS {
            return Ok(owner);
        }
        match self.space(owner).handles.objects.get(&handle) {
            Some(&KernelObject::Process { process, rights }) => {
                let missing = needed - rights;
                let is_alive = self
                    .spaces
                    .get(process.get() as usize)
                    .is_some_and(Option::is_some);
                if !missing.is_empty() {
                    Err(HandleError::AccessDenied { handle, missing })
                } else if is_alive {
                    Ok(process)
                } else {
                    Err(HandleError::Invalid(handle))
                }
            }
            Some(KernelObject::Section(_)) | None => Err(HandleError::Invalid(handle)),
        }
    }

    /// Returns the section behind a handle of `owner`.
    ///
    /// # Errors
    ///
    /// [`HandleError::Invalid`].
    ///
    /// # Panics
    ///
    /// If `owner` does not exist.
    pub fn section_behind(
        &self,
        owner: ProcessId,
        handle: Handle,
    ) -> Result<SectionId, HandleError> {
        match self.space(owner).handles.objects.get(&handle) {
            Some(&KernelObject::Section(id)) => Ok(id),
            Some(KernelObject::Process { .. }) | None => Err(HandleError::Invalid(handle)),
        }
    }

    /// Closes every handle of a process that ends.
    pub(crate) fn close_all_handles<O: Observer>(&mut self, mmu: &Mmu<O>, owner: ProcessId) {
        let handles: Vec<_> = self.space(owner).handles.objects.keys().copied().collect();
        for handle in handles {
            let closed = self.close_handle(mmu, owner, handle);
            debug_assert_eq!(closed, Ok(()), "it was listed");
        }
    }
}
