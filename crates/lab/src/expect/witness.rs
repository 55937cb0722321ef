//! Who watches the run for the expectations: calls are judged as they happen.

use std::cell::RefCell;
use std::rc::Rc;

use pagefault_machine::{Console, DebugInfo, Event, Listener, Stream, Topics, TraceSink};

use crate::expect::claim::Comparison;

/// The most output of a program that is kept, in bytes of each stream.
const MAX_OUTPUT_BYTES: usize = 16 << 20;
/// Calls that are shown when none is as expected.
const MAX_SAMPLES: usize = 4;

/// What a call has to be, with every value known.
#[derive(Clone, Debug)]
pub(crate) struct WantedCall {
    pub(crate) function: String,
    pub(crate) which: Option<u32>,
    pub(crate) by: Option<u32>,
    pub(crate) arguments: Option<Vec<Option<u32>>>,
    pub(crate) result: Option<(Comparison, u32)>,
    pub(crate) error: Option<u32>,
}

/// How often a call that is wanted has happened.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    pub(crate) wanted: WantedCall,
    /// Calls of the function.
    pub(crate) seen: u32,
    /// Calls that are as wanted.
    pub(crate) matched: u32,
    /// What the first calls were that could have been meant.
    pub(crate) samples: Vec<SeenCall>,
}

/// A call that has happened.
#[derive(Clone, Debug)]
pub(crate) struct SeenCall {
    pub(crate) function: &'static str,
    pub(crate) arguments: Vec<u32>,
    pub(crate) return_to: u32,
    /// What it returned, and the last error if it set one; `None` if it did not return.
    pub(crate) returned: Option<(u32, Option<u32>)>,
}

/// The calls of a run.
#[derive(Debug)]
pub(crate) struct Calls {
    pub(crate) tallies: Vec<Tally>,
    pending: Option<SeenCall>,
    debug: DebugInfo,
}

impl Calls {
    pub(crate) fn new(wanted: Vec<WantedCall>, debug: &DebugInfo) -> Self {
        let tallies = wanted.into_iter().map(|wanted| Tally {
            wanted,
            seen: 0,
            matched: 0,
            samples: Vec::new(),
        });
        Self {
            tallies: tallies.collect(),
            pending: None,
            debug: debug.clone(),
        }
    }

    /// Judges the call that has not returned, if there is one.
    pub(crate) fn settle(&mut self) {
        if let Some(call) = self.pending.take() {
            for tally in &mut self.tallies {
                tally.note(&call, &self.debug);
            }
        }
    }

    fn hear(&mut self, event: &Event) {
        match event {
            Event::ApiCall {
                function,
                arguments,
                return_to,
            } => {
                self.settle();
                self.pending = Some(SeenCall {
                    function,
                    arguments: arguments.clone(),
                    return_to: *return_to,
                    returned: None,
                });
            }
            Event::ApiReturn {
                result, last_error, ..
            } => {
                if let Some(call) = &mut self.pending {
                    call.returned = Some((*result, *last_error));
                }
                self.settle();
            }
            _ => {}
        }
    }
}

impl Tally {
    fn note(&mut self, call: &SeenCall, debug: &DebugInfo) {
        if !is_function(call.function, &self.wanted.function) {
            return;
        }
        self.seen = self.seen.saturating_add(1);
        let is_meant = self.wanted.which.is_none_or(|which| which == self.seen);
        if !is_meant || !self.wanted.is_place(call, debug) {
            return;
        }
        if self.wanted.is_as_wanted(call) {
            self.matched = self.matched.saturating_add(1);
        } else if self.samples.len() < MAX_SAMPLES {
            self.samples.push(call.clone());
        }
    }
}

impl WantedCall {
    fn is_place(&self, call: &SeenCall, debug: &DebugInfo) -> bool {
        let call_at = call.return_to.wrapping_sub(1);
        self.by.is_none_or(|by| is_same_line(debug, by, call_at))
    }

    fn is_as_wanted(&self, call: &SeenCall) -> bool {
        let mut given = call.arguments.iter();
        let arguments = self.arguments.iter().flatten();
        let are_arguments = arguments
            .zip(given.by_ref().map(Some).chain(std::iter::repeat(None)))
            .all(|(wanted, given)| match (wanted, given) {
                (None, _) => true,
                (Some(wanted), given) => given == Some(wanted),
            });
        let is_result = self.result.is_none_or(|(comparison, wanted)| {
            let result = call.returned.map(|(result, _)| result);
            result.is_some_and(|result| comparison.holds(result.into(), wanted.into()))
        });
        let is_error = self.error.is_none_or(|wanted| {
            call.returned
                .is_some_and(|(_, error)| error.unwrap_or(0) == wanted)
        });
        are_arguments && is_result && is_error
    }
}

/// Returns whether two addresses are of one instruction, or of one source line.
pub(crate) fn is_same_line(debug: &DebugInfo, first: u32, second: u32) -> bool {
    let line = |addr| debug.line(addr).map(|line| (line.file.clone(), line.line));
    first == second || (line(first).is_some() && line(first) == line(second))
}

/// Returns whether a function is meant by a name: `MessageBox` means `MessageBoxA`, too.
fn is_function(function: &str, name: &str) -> bool {
    let narrow = || function.strip_suffix('A').unwrap_or(function);
    function.eq_ignore_ascii_case(name) || narrow().eq_ignore_ascii_case(name)
}

/// Takes what a machine tells of its calls.
pub(crate) struct Witness(Rc<RefCell<Calls>>);

impl Witness {
    /// Returns what listens for the calls: nobody, if none is wanted.
    pub(crate) fn listener(calls: &Rc<RefCell<Calls>>) -> Listener {
        if calls.borrow().tallies.is_empty() {
            Listener::deaf()
        } else {
            Listener::new(Topics::API, Self(Rc::clone(calls)))
        }
    }
}

impl TraceSink for Witness {
    fn event(&mut self, event: &Event) {
        self.0.borrow_mut().hear(event);
    }
}

/// What a program has written.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    pub(crate) output: Vec<u8>,
    pub(crate) errors: Vec<u8>,
}

/// Keeps what a program writes, and gives it what it is to read.
#[derive(Debug)]
pub(crate) struct Recorder {
    pub(crate) streams: Rc<RefCell<Streams>>,
    pub(crate) input: Vec<u8>,
    pub(crate) at: usize,
}

impl Console for Recorder {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        let mut streams = self.streams.borrow_mut();
        let kept = match stream {
            Stream::Output => &mut streams.output,
            Stream::Error => &mut streams.errors,
        };
        let room = MAX_OUTPUT_BYTES.saturating_sub(kept.len());
        kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn read(&mut self, bytes: &mut [u8]) -> usize {
        let rest = self.input.get(self.at..).unwrap_or_default();
        let len = rest.len().min(bytes.len());
        bytes[..len].copy_from_slice(&rest[..len]);
        self.at += len;
        len
    }
}
