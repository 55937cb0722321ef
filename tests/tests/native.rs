//! A short run of the processor itself against the interpreter, where the processor is an x86 and the
//! system is Linux.

use std::io::Write;

use pagefault_tests::native::{Differential, Unavailable, Verdict, inputs};

/// Sequences of the test run.
const SEQUENCES: usize = 6000;
/// Sequences that go to the native side at once.
const BATCH: usize = 32;

#[test]
fn random_sequences_end_on_the_processor_as_on_the_interpreter() {
    let Some(mut differential) =
        start("random_sequences_end_on_the_processor_as_on_the_interpreter")
    else {
        return;
    };
    let inputs: Vec<Vec<u8>> = inputs(1).take(SEQUENCES).collect();
    let mut same = 0;
    for batch in inputs.chunks(BATCH) {
        let batch: Vec<&[u8]> = batch.iter().map(Vec::as_slice).collect();
        for verdict in differential.check(&batch).unwrap() {
            match verdict {
                Verdict::Same => same += 1,
                Verdict::Rejected(_) => {}
                Verdict::Different(difference) => panic!("{difference}"),
            }
        }
    }

    let forms = differential.executed().len();
    assert!(same > SEQUENCES * 9 / 10, "only {same} were compared");
    assert!(forms > 900, "only {forms} forms were executed");
}

/// Starts the native side; where there is none, says by name what is not checked.
fn start(test: &str) -> Option<Differential> {
    match Differential::start() {
        Ok(differential) => Some(differential),
        Err(
            error @ (Unavailable::Platform | Unavailable::Start(_) | Unavailable::Setup { .. }),
        ) => {
            // Not captured: whoever reads the log should know.
            _ = writeln!(
                std::io::stderr(),
                "{error}: {test} was skipped, it checked nothing"
            );
            None
        }
        Err(error) => panic!("{error}"),
    }
}
