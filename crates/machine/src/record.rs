//! `EXCEPTION_RECORD`: what an exception is, as programs see it in memory.

use pagefault_vmm::Resolution;
use pagefault_vmm::mmu::AccessKind;

use crate::api::Refused;
use crate::status::Status;

/// `EXCEPTION_MAXIMUM_PARAMETERS`
const MAX_PARAMETERS: usize = 15;
/// The size of the fields before the parameters, in bytes.
const HEAD_BYTES: usize = 20;
/// The size of a whole record in bytes.
pub(crate) const RECORD_BYTES: usize = HEAD_BYTES + MAX_PARAMETERS * 4;

/// `ExceptionInformation[0]` of a read and of a write.
const READ: u32 = 0;
const WRITE: u32 = 1;

/// An exception.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// `ExceptionCode`
    pub(crate) status: Status,
    /// `ExceptionFlags`
    pub(crate) flags: u32,
    /// The address of the record of the exception that this one is about, or NULL.
    pub(crate) other: u32,
    /// `ExceptionAddress`
    pub(crate) addr: u32,
    /// `ExceptionInformation`, at most 15 of them.
    pub(crate) parameters: Vec<u32>,
}

impl Record {
    /// Returns an exception raised by the instruction at `addr`.
    pub(crate) fn new(status: Status, addr: u32, parameters: &[u32]) -> Self {
        Self {
            status,
            flags: 0,
            other: 0,
            addr,
            parameters: parameters.to_vec(),
        }
    }

    /// Returns what the program is told about an access that the memory manager has refused.
    pub(crate) fn of_refused(refused: &Refused, addr: u32) -> Self {
        let fault = refused.fault;
        let at = fault.addr.bits();
        let plain = match fault.access.kind {
            AccessKind::Write => WRITE,
            AccessKind::Read | AccessKind::Fetch => READ,
        };
        match refused.resolution {
            Resolution::GuardPage(guard) => Self::new(
                Status::GUARD_PAGE_VIOLATION,
                addr,
                &[guard.operation(), guard.addr.bits()],
            ),
            Resolution::StackOverflow(overflow) => {
                let parameters = [plain, overflow.addr.bits()];
                Self::new(Status::STACK_OVERFLOW, addr, &parameters)
            }
            Resolution::InPageError(error) => {
                let parameters = [plain, error.addr.bits(), error.cause.ntstatus()];
                Self::new(Status::IN_PAGE_ERROR, addr, &parameters)
            }
            Resolution::AccessViolation(violation) => Self::new(
                Status::ACCESS_VIOLATION,
                addr,
                &[violation.operation(), violation.addr.bits()],
            ),
            Resolution::Resumed(_) => Self::new(Status::ACCESS_VIOLATION, addr, &[plain, at]),
        }
    }

    /// Returns the record as it stands in memory, up to its last parameter.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let count = self.parameters.len().min(MAX_PARAMETERS);
        let head = [
            self.status.bits(),
            self.flags,
            self.other,
            self.addr,
            u32::try_from(count).unwrap_or(0),
        ];
        let words = head.iter().chain(self.parameters.iter().take(count));
        words.flat_map(|word| word.to_le_bytes()).collect()
    }

    /// Returns the record that stands in memory; of too many parameters, those that there are.
    pub(crate) fn from_bytes(bytes: &[u8; RECORD_BYTES]) -> Self {
        let word = |index: usize| {
            let mut word = [0; 4];
            word.copy_from_slice(&bytes[index * 4..index * 4 + 4]);
            u32::from_le_bytes(word)
        };
        let count = usize::try_from(word(4)).unwrap_or(MAX_PARAMETERS);
        let count = count.min(MAX_PARAMETERS);
        Self {
            status: Status::new(word(0)),
            flags: word(1),
            other: word(2),
            addr: word(3),
            parameters: (0..count)
                .map(|index| word(HEAD_BYTES / 4 + index))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_keeps_at_most_fifteen_parameters() {
        let mut bytes = [0; RECORD_BYTES];
        bytes[0..4].copy_from_slice(&0xE000_0001_u32.to_le_bytes());
        bytes[16..20].copy_from_slice(&u32::MAX.to_le_bytes());
        bytes[76..80].copy_from_slice(&7_u32.to_le_bytes());

        let record = Record::from_bytes(&bytes);

        assert_eq!(record.status.bits(), 0xE000_0001);
        assert_eq!(record.parameters.len(), 15);
        assert_eq!(record.parameters[14], 7);
        assert_eq!(record.to_bytes().len(), RECORD_BYTES);
    }
}
