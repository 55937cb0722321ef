//! The operation file of the Windows 2000 lab: binary records.

use pagefault_machine::vmm::Rights;
use pagefault_machine::vmm::mmu::PAGE_SIZE;

use super::{Field, Malformed, Operation, Parsed, Place, RegionIndex, Step, Target};

/// The bytes of a number.
const WORD_BYTES: usize = 4;
/// The numbers of a record.
const WORDS: usize = 4;
/// The bytes of a record.
const RECORD_BYTES: usize = WORDS * WORD_BYTES;

/// The operations, from code 0 on.
const OPERATIONS: [Operation; 6] = [
    Operation::Reserve,
    Operation::Commit,
    Operation::Lock,
    Operation::Unlock,
    Operation::Decommit,
    Operation::Release,
];

/// The protections, from code 0 on.
const PROTECTIONS: [Rights; 5] = [
    Rights::ReadOnly,
    Rights::ReadWrite,
    Rights::Execute,
    Rights::ExecuteRead,
    Rights::ExecuteReadWrite,
];

/// Reads records.
pub(super) fn parse(bytes: &[u8]) -> Parsed {
    let mut parsed = Parsed::default();
    let mut state = State::default();
    for (number, record) in (0..).zip(bytes.chunks(RECORD_BYTES)) {
        let place = Place::Record(number);
        if parsed.push(place, state.step(record, place)).is_break() {
            break;
        }
    }
    parsed
}

/// What a record depends on.
#[derive(Debug, Default)]
struct State {
    now_ms: u64,
    /// The region that the next record works on.
    next_region: u32,
}

impl State {
    fn step(&mut self, record: &[u8], place: Place) -> Result<Step, Malformed> {
        let [time, block, operation, protection] = words(record)?;
        let time = unsigned(time, Field::Time)?;
        let block = unsigned(block, Field::Units)?;
        let operation = unsigned(operation, Field::Operation)?;
        let protection = unsigned(protection, Field::Access)?;
        let operation = item(&OPERATIONS, operation).ok_or(Malformed::Operation {
            code: operation,
            first: 0,
            last: last(&OPERATIONS),
        })?;
        let rights = item(&PROTECTIONS, protection).ok_or(Malformed::Access {
            code: protection,
            first: 0,
            last: last(&PROTECTIONS),
        })?;
        let size_bytes = block
            .checked_mul(PAGE_SIZE)
            .ok_or(Malformed::TooLarge { units: block })?;
        let index = if protection == 0 { 0 } else { self.next_region };
        let region = RegionIndex::new(index).ok_or(Malformed::Region)?;
        // Nothing below can fail: a record that is refused changes nothing.
        self.next_region = index + 1;
        self.now_ms = self.now_ms.saturating_add(u64::from(time));
        let (target, protect) = match operation {
            Operation::Reserve => {
                let target = Target::NewRegion { region, size_bytes };
                (target, Rights::NoAccess.bits())
            }
            _ => (Target::Region(region), rights.bits()),
        };
        Ok(Step {
            place,
            at_ms: self.now_ms,
            operation,
            target,
            protect,
            units: block,
        })
    }
}

fn words(record: &[u8]) -> Result<[i32; WORDS], Malformed> {
    let mut words = [0; WORDS];
    let (chunks, rest) = record.as_chunks::<WORD_BYTES>();
    if chunks.len() != WORDS || !rest.is_empty() {
        return Err(Malformed::Truncated {
            found_bytes: record.len(),
            wanted_bytes: RECORD_BYTES,
        });
    }
    for (word, chunk) in words.iter_mut().zip(chunks) {
        *word = i32::from_le_bytes(*chunk);
    }
    Ok(words)
}

fn unsigned(word: i32, field: Field) -> Result<u32, Malformed> {
    u32::try_from(word).map_err(|_| Malformed::Negative { field })
}

fn item<T: Copy>(items: &[T], code: u32) -> Option<T> {
    items.get(usize::try_from(code).ok()?).copied()
}

fn last<T>(items: &[T]) -> u32 {
    u32::try_from(items.len().saturating_sub(1)).unwrap_or(u32::MAX)
}
