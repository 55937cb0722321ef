//! Any bytes as a sequence of instructions: it ends on the processor itself as on the interpreter.
//!
//! Where the processor is not an x86 or the system is not Linux, it says so and looks at nothing.
#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use pagefault_tests::native::{Differential, Verdict};

thread_local! {
    /// Both sides, for all inputs.
    static SIDES: RefCell<Option<Differential>> = RefCell::new(start());
}

fuzz_target!(|data: &[u8]| {
    SIDES.with_borrow_mut(|sides| {
        let Some(sides) = sides else { return };
        let verdicts = sides.check(&[data]);
        for verdict in verdicts.expect("the native side can be started again") {
            if let Verdict::Different(difference) = verdict {
                panic!("{difference}");
            }
        }
    });
});

fn start() -> Option<Differential> {
    let sides = Differential::start();
    sides
        .inspect_err(|error| eprintln!("native is skipped, it checks nothing: {error}"))
        .ok()
}
