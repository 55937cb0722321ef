//! Exercises: answered by the models, the same for a seed, and different for others.

use pagefault_lab::quiz::{Answer, AnswerSheet, Exam, Exercise, Mark, Topic};
use pagefault_lab::variant::VariantKey;

#[test]
fn a_seed_is_an_exam_and_another_seed_is_another_one() {
    let topics = Topic::NAMES.map(|(_, topic)| topic);

    let (first, again, other) = (
        Exam::new(&topics, 12, 7),
        Exam::new(&topics, 12, 7),
        Exam::new(&topics, 12, 8),
    );

    assert_eq!(first, again);
    for (first, other) in first.exercises.iter().zip(&other.exercises) {
        assert_ne!(first.given, other.given, "{}", first.title);
    }
}

#[test]
fn every_topic_has_questions_whose_answers_are_accepted_over_many_seeds() {
    for (name, topic) in Topic::NAMES {
        let mut answers = Vec::new();
        for seed in 0..300 {
            let exercise = Exercise::new(topic, &VariantKey::of_seed("test", seed));
            assert!(exercise.questions.len() >= 2, "{name}, seed {seed}");
            for question in &exercise.questions {
                let answer = question.answer.to_string();
                assert!(
                    question.answer.accepts(&answer),
                    "{name}, seed {seed}: {question:?}"
                );
                assert!(
                    !question.answer.accepts(""),
                    "{name}, seed {seed}: {question:?}"
                );
                assert!(
                    !question.worked.is_empty(),
                    "{name}, seed {seed}: {question:?}"
                );
                answers.push(answer);
            }
        }
        answers.sort();
        answers.dedup();
        assert!(answers.len() > 3, "{name} asks for {answers:?} only");
    }
}

#[test]
fn translations_follow_the_words_that_are_given() {
    for seed in 0..100 {
        let exercise = Exercise::new(Topic::Translate, &VariantKey::of_seed("test", seed));
        let words = words(&exercise.given);
        let cr3 = exercise.given[0].trim_start_matches("CR3 = ");
        let cr3 = u32::from_str_radix(cr3, 16).unwrap();
        for question in &exercise.questions {
            let addr = question.text.split("0x").nth(1).unwrap();
            let addr = u32::from_str_radix(&addr[..8], 16).unwrap();
            // The obvious walk, over the printed words alone.
            let entry = |at| {
                words
                    .iter()
                    .find(|(place, _)| *place == at)
                    .map_or(0, |&(_, word)| word)
            };
            let pde = entry(cr3 + (addr >> 22) * 4);
            let pte = entry((pde & !0xFFF) + (addr >> 12 & 0x3FF) * 4);
            let expected = if pde & 1 == 0 || pte & 1 == 0 {
                Answer::Word("fault")
            } else {
                Answer::Hex(u64::from(pte & !0xFFF | addr & 0xFFF))
            };
            assert_eq!(question.answer, expected, "seed {seed}: {question:?}");
        }
    }
}

#[test]
fn both_faults_and_allowed_accesses_are_asked_for() {
    let mut seen = [false; 2];
    for seed in 0..50 {
        let exercise = Exercise::new(Topic::ErrorCode, &VariantKey::of_seed("test", seed));
        for question in &exercise.questions {
            match question.answer {
                Answer::Word("none") => seen[0] = true,
                Answer::Count(code) => {
                    assert!(code < 8, "{question:?}");
                    seen[1] = true;
                }
                _ => panic!("{question:?}"),
            }
        }
    }
    assert_eq!(seen, [true, true]);
}

#[test]
fn a_forgotten_invalidation_shows_the_old_frame() {
    for seed in 0..50 {
        let exercise = Exercise::new(Topic::Stale, &VariantKey::of_seed("test", seed));
        let first = &exercise.questions[0].answer;
        let second = &exercise.questions[1].answer;

        // Page 0 is read, mapped to frame 10, and read again without INVLPG.
        assert_eq!(
            (first, second),
            (&Answer::Count(8), &Answer::Count(8)),
            "seed {seed}"
        );
        let last = exercise.questions.last().unwrap();
        assert!(
            last.answer != *first,
            "seed {seed}: after INVLPG the change is seen"
        );
    }
}

#[test]
fn a_sheet_is_marked_question_by_question_and_the_last_answer_counts() {
    let exam = Exam::new(&[Topic::TlbPlace, Topic::FaultCount], 2, 3);
    let right = exam.exercises[0].questions[0].answer.to_string();
    let text = format!("1.1 wrong\n1.1: {right}\n# said\n\n1.2 nonsense\nhello\n9.9 1\n");

    let sheet = AnswerSheet::read(&text);
    let score = exam.mark(&sheet);

    assert_eq!(sheet.unread(), [6]);
    assert_eq!(
        score.marks[0][..3],
        [Mark::Right, Mark::Wrong, Mark::Missing]
    );
    assert!(score.marks[1].iter().all(|mark| *mark == Mark::Missing));
    assert_eq!(score.right(), 1);
}

#[test]
fn students_have_different_keys_and_each_keeps_its_own() {
    let key = |secret: &str, lab: &str, student: &str| {
        VariantKey::of_student(secret.as_bytes(), lab, student)
    };
    let ada = key("s", "01-translate", "ada");

    assert_eq!(ada, key("s", "01-translate", "ada"));
    for other in [
        key("t", "01-translate", "ada"),
        key("s", "02-dump", "ada"),
        key("s", "01-translate", "bob"),
        key("s", "01-translat", "eada"),
    ] {
        assert_ne!(ada, other);
    }
    assert_eq!(format!("{ada:?}"), "VariantKey(..)");
}

#[test]
fn draws_are_within_their_bounds_and_reach_both_ends() {
    let mut draws = VariantKey::of_seed("test", 1).draws();
    let drawn: Vec<u32> = (0..1000).map(|_| draws.within(3, 7)).collect();

    assert_eq!(
        (drawn.iter().min(), drawn.iter().max()),
        (Some(&3), Some(&7))
    );
    let mut all = draws.distinct(10, 10);
    all.sort_unstable();
    assert_eq!(all, (0..10).collect::<Vec<_>>());
    // The stream is part of the format: a change would give every student other parameters.
    let mut first = VariantKey::of_student(b"secret", "lab", "student").draws();
    let stream: Vec<u32> = (0..4).map(|_| first.below(1000)).collect();
    assert_eq!(stream, STREAM);
}

/// The numbers that this version has drawn.
const STREAM: [u32; 4] = [275, 909, 721, 912];

/// Returns the printed words by address.
fn words(given: &[String]) -> Vec<(u32, u32)> {
    let lines = given.iter().filter_map(|line| line.split_once(" at "));
    let words = lines.map(|(_, rest)| {
        let (at, word) = rest.split_once(": ").unwrap();
        let number = |text: &str| u32::from_str_radix(text, 16).unwrap();
        (number(at), number(word))
    });
    words.collect()
}
