//! The model: one record for each page of a window, and rules read off the documentation.

use std::collections::BTreeMap;

/// Where the window starts: the bottom of user space.
pub(crate) const WINDOW: u32 = 0x1_0000;
/// Six granules.
pub(crate) const WINDOW_PAGES: u32 = 96;
/// Everything above the window is one reservation that nobody frees.
pub(crate) const FENCE_PAGES: u32 = 0x7_fff0 - 0x10 - WINDOW_PAGES;

const PAGE: u32 = 0x1000;
const GRANULE_PAGES: u32 = 16;
const USER_END: u64 = 0x7fff_0000;
const LOCKABLE: u32 = 30;

const INVALID_PARAMETER: u32 = 87;
const INVALID_ADDRESS: u32 = 487;
const NOACCESS: u32 = 998;
const AV: u32 = 0xC000_0005;
const GUARD_HIT: u32 = 0x8000_0001;

const COMMIT: u32 = 0x1000;
const RESERVE: u32 = 0x2000;
const RESET: u32 = 0x8_0000;
const TOP_DOWN: u32 = 0x10_0000;
const WATCH: u32 = 0x20_0000;
const GUARD: u32 = 0x100;

/// What a query shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) allocation: Option<(u32, u32)>,
    pub(crate) size: u32,
    pub(crate) state: u32,
    pub(crate) protect: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Page {
    /// First page of the allocation, and its protection.
    allocation: Option<(u32, u32, bool)>,
    /// Protection, if committed.
    committed: Option<u32>,
    /// By offset; all others are zero.
    bytes: BTreeMap<u32, u8>,
    /// The contents may go, since `MEM_RESET`.
    lossy: bool,
    locked: bool,
    dirty: bool,
}

/// The window.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pages: Vec<Page>,
}

/// Returns whether the bits are one base protection with at most one modifier that fits.
fn is_protection(bits: u32) -> bool {
    let base = bits & 0xff;
    let modifiers = bits & 0x700;
    bits & !0x7ff == 0
        && base.is_power_of_two()
        && modifiers.count_ones() <= 1
        && (base != 1 || modifiers == 0)
}

fn is_copy(bits: u32) -> bool {
    bits & 0x88 != 0
}

/// The caching bits that an allocation gives its pages.
fn cached(protect: u32, allocation: u32) -> u32 {
    let own = protect & !0x600;
    if protect & GUARD != 0 || own & 0xff == 1 {
        own
    } else {
        own | allocation & 0x600
    }
}

impl Model {
    pub(crate) fn new() -> Self {
        Self {
            pages: vec![Page::default(); WINDOW_PAGES as usize],
        }
    }

    /// Pages of the window that a range touches; `Err` with what is wrong with the range.
    fn range(address: u32, size: u32) -> Option<(u32, u32)> {
        let end = u64::from(address) + u64::from(size);
        (size > 0 && end <= USER_END)
            .then(|| (address / PAGE, u32::try_from(end - 1).unwrap() / PAGE + 1))
    }

    fn index(page: u32) -> Option<usize> {
        let index = page.checked_sub(WINDOW / PAGE)?;
        (index < WINDOW_PAGES).then_some(index as usize)
    }

    fn at(&self, page: u32) -> Option<&Page> {
        self.pages.get(Self::index(page)?)
    }

    fn is_fence(page: u32) -> bool {
        page >= WINDOW / PAGE + WINDOW_PAGES
    }

    /// The bounds of the allocation around a page, in pages.
    fn extent(&self, page: u32) -> Option<(u32, u32)> {
        if Self::is_fence(page) {
            let start = WINDOW / PAGE + WINDOW_PAGES;
            return Some((start, start + FENCE_PAGES));
        }
        let allocation = self.at(page)?.allocation?;
        let len = self
            .pages
            .iter()
            .filter(|page| page.allocation == Some(allocation))
            .count();
        Some((allocation.0, allocation.0 + u32::try_from(len).unwrap()))
    }

    fn inside_one(&self, (start, end): (u32, u32)) -> bool {
        self.extent(start).is_some_and(|(_, last)| end <= last)
    }

    fn each(&mut self, (start, end): (u32, u32)) -> &mut [Page] {
        let first = Self::index(start).unwrap();
        &mut self.pages[first..first + (end - start) as usize]
    }

    fn granule_is_taken(&self, granule: u32) -> bool {
        let pages = granule * GRANULE_PAGES..(granule + 1) * GRANULE_PAGES;
        Self::is_fence(pages.start)
            || pages
                .into_iter()
                .any(|page| self.at(page).is_some_and(|page| page.allocation.is_some()))
    }

    pub(crate) fn alloc(
        &mut self,
        address: u32,
        size: u32,
        kind: u32,
        protect: u32,
    ) -> Result<u32, u32> {
        let unknown = kind & !(COMMIT | RESERVE | RESET | TOP_DOWN | WATCH) != 0;
        let acts = kind & (COMMIT | RESERVE | RESET) != 0;
        let resets_only = kind & RESET == 0 || kind == RESET;
        let watch = kind & WATCH == 0 || kind & RESERVE != 0;
        let low = address != 0 && address < 0x1_0000;
        if low || unknown || !acts || !resets_only || !watch || !is_protection(protect) {
            return Err(INVALID_PARAMETER);
        }
        let (start, end) = Self::range(address, size).ok_or(INVALID_PARAMETER)?;
        if kind & RESERVE != 0 || (address == 0 && kind & COMMIT != 0) {
            if is_copy(protect) {
                return Err(INVALID_PARAMETER);
            }
            return self.reserve(address, (start, end), kind, protect);
        }
        if !self.inside_one((start, end)) {
            return Err(INVALID_ADDRESS);
        }
        if kind == RESET {
            if !Self::is_fence(start) {
                self.each((start, end))
                    .iter_mut()
                    .for_each(|page| page.lossy = true);
            }
            return Ok(start * PAGE);
        }
        if Self::is_fence(start) {
            return Err(INVALID_ADDRESS);
        }
        if is_copy(protect) {
            return Err(INVALID_PARAMETER);
        }
        for page in self.each((start, end)) {
            let allocation = page.allocation.unwrap().1;
            page.committed = Some(cached(protect, allocation));
        }
        Ok(start * PAGE)
    }

    fn reserve(
        &mut self,
        address: u32,
        (start, end): (u32, u32),
        kind: u32,
        protect: u32,
    ) -> Result<u32, u32> {
        let first = if address == 0 {
            let granules = (end - start).div_ceil(GRANULE_PAGES);
            let candidates = 1..=(WINDOW_PAGES / GRANULE_PAGES);
            let fits = |&granule: &u32| {
                (granule..granule + granules).all(|granule| !self.granule_is_taken(granule))
            };
            let found = if kind & TOP_DOWN == 0 {
                candidates.into_iter().find(fits)
            } else {
                candidates.into_iter().rev().find(fits)
            };
            found.ok_or(8_u32)? * GRANULE_PAGES
        } else {
            let first = start / GRANULE_PAGES * GRANULE_PAGES;
            let granules = first / GRANULE_PAGES..end.div_ceil(GRANULE_PAGES);
            if granules
                .into_iter()
                .any(|granule| self.granule_is_taken(granule))
            {
                return Err(INVALID_ADDRESS);
            }
            first
        };
        let last = if address == 0 {
            first + (end - start)
        } else {
            end
        };
        let committed = (kind & COMMIT != 0).then_some(protect);
        let allocation = Some((first, protect, kind & WATCH != 0));
        self.each((first, last)).fill(Page {
            allocation,
            committed,
            ..Page::default()
        });
        Ok(first * PAGE)
    }

    pub(crate) fn free(&mut self, address: u32, size: u32, kind: u32) -> Result<(), u32> {
        const DECOMMIT: u32 = 0x4000;
        const RELEASE: u32 = 0x8000;
        if (kind != DECOMMIT && kind != RELEASE) || (kind == RELEASE && size != 0) {
            return Err(INVALID_PARAMETER);
        }
        if u64::from(address) + u64::from(size.max(1)) > USER_END {
            return Err(INVALID_PARAMETER);
        }
        let extent = self.extent(address / PAGE).ok_or(INVALID_ADDRESS)?;
        let range = if size == 0 {
            if address / PAGE != extent.0 {
                return Err(INVALID_ADDRESS);
            }
            extent
        } else {
            let range = Self::range(address, size).unwrap();
            if range.1 > extent.1 {
                return Err(INVALID_PARAMETER);
            }
            range
        };
        if Self::is_fence(range.0) {
            assert_eq!(kind, DECOMMIT, "the fence stays");
            return Err(INVALID_PARAMETER);
        }
        for page in self.each(range) {
            let allocation = page.allocation.filter(|_| kind == DECOMMIT);
            *page = Page {
                allocation,
                ..Page::default()
            };
        }
        Ok(())
    }

    pub(crate) fn protect(&mut self, address: u32, size: u32, protect: u32) -> Result<u32, u32> {
        if !is_protection(protect) {
            return Err(INVALID_PARAMETER);
        }
        let range = Self::range(address, size).ok_or(INVALID_PARAMETER)?;
        if !self.inside_one(range) {
            return Err(INVALID_ADDRESS);
        }
        if is_copy(protect) || Self::is_fence(range.0) {
            return Err(INVALID_PARAMETER);
        }
        if self.each(range).iter().any(|page| page.committed.is_none()) {
            return Err(INVALID_ADDRESS);
        }
        let old = self.each(range)[0].committed.unwrap();
        for page in self.each(range) {
            page.committed = Some(cached(protect, page.allocation.unwrap().1));
        }
        Ok(old)
    }

    pub(crate) fn lock(&mut self, address: u32, size: u32) -> Result<(), u32> {
        let (start, end) = Self::range(address, size).ok_or(INVALID_PARAMETER)?;
        let is_new = |page: &u32| !self.at(*page).is_some_and(|page| page.locked);
        let new = u32::try_from((start..end).filter(is_new).count()).unwrap();
        for number in start..end {
            let Some(index) = Self::index(number) else {
                return Err(NOACCESS);
            };
            let page = &mut self.pages[index];
            match page.committed {
                None | Some(1) => return Err(NOACCESS),
                Some(protect) if protect & GUARD != 0 => {
                    let allocation = page.allocation.unwrap().1;
                    page.committed = Some(cached(protect & !GUARD, allocation));
                    return Err(GUARD_HIT);
                }
                Some(_) => {}
            }
        }
        if self.locked_count() + new > LOCKABLE {
            return Err(1453);
        }
        self.each((start, end))
            .iter_mut()
            .for_each(|page| page.locked = true);
        Ok(())
    }

    pub(crate) fn unlock(&mut self, address: u32, size: u32) -> Result<(), u32> {
        let (start, end) = Self::range(address, size).ok_or(INVALID_PARAMETER)?;
        if !(start..end).all(|page| self.at(page).is_some_and(|page| page.locked)) {
            return Err(158);
        }
        self.each((start, end))
            .iter_mut()
            .for_each(|page| page.locked = false);
        Ok(())
    }

    /// Takes the guard off the page, if it has one, and returns the page if it can be used.
    fn touch(&mut self, address: u32, rights: u32) -> Result<&mut Page, u32> {
        let page = &mut self.pages[Self::index(address / PAGE).ok_or(AV)?];
        let protect = page.committed.ok_or(AV)?;
        if protect & GUARD != 0 {
            page.committed = Some(cached(protect & !GUARD, page.allocation.unwrap().1));
            return Err(GUARD_HIT);
        }
        if protect & rights == 0 {
            Err(AV)
        } else {
            Ok(page)
        }
    }

    pub(crate) fn read(&mut self, address: u32) -> Result<u8, u32> {
        let page = self.touch(address, 0xfe)?;
        Ok(page
            .bytes
            .get(&(address % PAGE))
            .copied()
            .unwrap_or_default())
    }

    pub(crate) fn write(&mut self, address: u32, value: u8) -> Result<(), u32> {
        let page = self.touch(address, 0x44)?;
        page.bytes.insert(address % PAGE, value);
        page.dirty = page.allocation.unwrap().2;
        page.lossy = false;
        Ok(())
    }

    pub(crate) fn write_watch(
        &mut self,
        address: u32,
        size: u32,
        reset: bool,
    ) -> Result<Vec<u32>, u32> {
        let (start, end) = Self::range(address, size).ok_or(INVALID_PARAMETER)?;
        let watched = self
            .at(start)
            .and_then(|page| page.allocation)
            .is_some_and(|found| found.2);
        if !watched || !self.inside_one((start, end)) {
            return Err(INVALID_PARAMETER);
        }
        let dirty: Vec<u32> = (start..end)
            .filter(|&page| self.at(page).unwrap().dirty)
            .map(|page| page * PAGE)
            .collect();
        if reset {
            self.each((start, end))
                .iter_mut()
                .for_each(|page| page.dirty = false);
        }
        Ok(dirty)
    }

    pub(crate) fn query(&self, number: u32) -> Seen {
        let attributes = |page: &Page| (page.allocation, page.committed);
        let first = &self.pages[number as usize];
        let alike = self.pages[number as usize..]
            .iter()
            .take_while(|&page| attributes(page) == attributes(first))
            .count();
        let size = u32::try_from(alike).unwrap() * PAGE;
        let allocation = first
            .allocation
            .map(|(base, protect, _)| (base * PAGE, protect));
        let (state, protect) = match (first.allocation, first.committed) {
            (None, _) => (0x1_0000, 1),
            (Some(_), None) => (0x2000, 0),
            (Some(_), Some(protect)) => (0x1000, protect),
        };
        Seen {
            allocation,
            size,
            state,
            protect,
        }
    }

    /// Compares a page's contents; contents that may go may be gone.
    pub(crate) fn check_contents(&mut self, number: u32, found: Option<&[u8]>) {
        let page = &mut self.pages[number as usize];
        let mut expected = vec![0; PAGE as usize];
        for (&offset, &byte) in &page.bytes {
            expected[offset as usize] = byte;
        }
        let is_gone = found.is_some_and(|found| found.iter().all(|&byte| byte == 0));
        if page.lossy && is_gone {
            page.bytes.clear();
        } else {
            let expected = page.committed.map(|_| expected.as_slice());
            assert!(found == expected, "contents of page {number}");
        }
    }

    pub(crate) fn locked_count(&self) -> u32 {
        u32::try_from(self.pages.iter().filter(|page| page.locked).count()).unwrap()
    }
}
