//! `IsBadReadPtr` and its kin, which find out by trying.

use pagefault_mmu::{LinearAddr, Mmu, Observer, PAGE_SIZE, Privilege};

use crate::copy::CopyError;
use crate::vmm::Vmm;

/// What `IsBad…Ptr` found. Guard pages that were met have lost their guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pointer {
    /// Every byte could be accessed (0).
    Good,
    /// A byte could not (1).
    Bad,
}

impl Pointer {
    fn of(result: Result<(), CopyError>) -> Self {
        if result.is_ok() {
            Self::Good
        } else {
            Self::Bad
        }
    }
}

impl Vmm {
    /// `IsBadReadPtr`, in the process whose tables are loaded.
    pub fn is_bad_read_ptr<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        address: LinearAddr,
        size_bytes: u32,
    ) -> Pointer {
        self.try_pages(mmu, address, size_bytes, |mmu, at| {
            mmu.read::<u8>(at, Privilege::User).map(|_| ())
        })
    }

    /// `IsBadWritePtr`: writes what it has read.
    pub fn is_bad_write_ptr<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        address: LinearAddr,
        size_bytes: u32,
    ) -> Pointer {
        self.try_pages(mmu, address, size_bytes, |mmu, at| {
            mmu.modify::<u8>(at, Privilege::User, |byte| byte)
                .map(|_| ())
        })
    }

    /// `IsBadCodePtr`: a read, not a fetch.
    pub fn is_bad_code_ptr<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        address: LinearAddr,
    ) -> Pointer {
        self.is_bad_read_ptr(mmu, address, 1)
    }

    /// `IsBadStringPtr`: reads up to a zero byte, or `limit_bytes` of them.
    pub fn is_bad_string_ptr<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        address: LinearAddr,
        limit_bytes: u32,
    ) -> Pointer {
        for offset in 0..limit_bytes {
            let Some(at) = address.checked_add(offset) else {
                return Pointer::Bad;
            };
            match self.with_faults(mmu, |mmu| mmu.read::<u8>(at, Privilege::User)) {
                Ok(0) => return Pointer::Good,
                Ok(_) => {}
                Err(_) => return Pointer::Bad,
            }
        }
        Pointer::Good
    }

    /// Tries the first byte of the range on each page.
    fn try_pages<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        address: LinearAddr,
        size_bytes: u32,
        access: impl Fn(&mut Mmu<O>, LinearAddr) -> Result<(), pagefault_mmu::PageFault>,
    ) -> Pointer {
        let Some(last) = size_bytes.checked_sub(1) else {
            return Pointer::Good;
        };
        let Some(last) = address.checked_add(last) else {
            return Pointer::Bad;
        };
        let mut at = address;
        loop {
            let tried = self.with_faults(mmu, |mmu| access(mmu, at));
            if Pointer::of(tried) == Pointer::Bad {
                return Pointer::Bad;
            }
            match at.checked_add(PAGE_SIZE - at.page_offset()) {
                Some(next) if next <= last => at = next,
                _ => return Pointer::Good,
            }
        }
    }
}
