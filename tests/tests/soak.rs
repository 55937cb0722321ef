//! A short soak: runs are the same twice, heard or not, recorded or not; on one thread or on many.

use std::thread;

use pagefault_tests::command::project;
use pagefault_tests::soak::{Soak, Subject, digests};

/// Rounds of each thread.
const ROUNDS: u64 = 40;

fn fixtures() -> Vec<Subject> {
    Subject::of_folder(&project().join("fixtures/programs")).unwrap()
}

#[test]
fn rounds_of_random_programs_find_nothing() {
    for begin in [0, 1_000_000] {
        let mut soak = Soak::new(fixtures(), begin);
        for _ in 0..ROUNDS {
            if let Err(finding) = soak.play_round() {
                panic!("{finding}");
            }
        }
        assert!(soak.instructions() > 0);
    }
}

#[test]
fn fixtures_do_the_same_on_many_threads_as_on_one() {
    let alone = digests(&fixtures());

    let together: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..2)
            .map(|_| scope.spawn(|| digests(&fixtures())))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });

    assert!(alone.len() > 50, "there are {} programs", alone.len());
    assert!(alone.iter().all(|&(_, digest)| digest != 0));
    for other in together {
        assert_eq!(other, alone);
    }
}
