//! An exam: exercises from one seed, and sheets of answers.

use super::{Exercise, Question, Topic};
use crate::variant::VariantKey;

/// What the key of an exam's exercises belongs to.
const LAB: &str = "quiz";

/// Exercises that belong together.
#[derive(Clone, Debug, PartialEq)]
pub struct Exam {
    /// What they were drawn from; 0 if that was a key.
    pub seed: u64,
    /// In order, from 1.
    pub exercises: Vec<Exercise>,
}

/// What a student wrote, question by question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnswerSheet {
    answers: Vec<(usize, usize, String)>,
    /// Lines that are no answers, from 1.
    unread: Vec<usize>,
}

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The answer is right.
    Right,
    /// It is not.
    Wrong,
    /// There is none.
    Missing,
}

/// The marks of a sheet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Score {
    /// By exercise and question.
    pub marks: Vec<Vec<Mark>>,
}

impl Score {
    /// Returns how many answers are right.
    pub fn right(&self) -> usize {
        let marks = self.marks.iter().flatten();
        marks.filter(|mark| **mark == Mark::Right).count()
    }

    /// Returns how many questions there are.
    pub fn questions(&self) -> usize {
        self.marks.iter().map(Vec::len).sum()
    }
}

impl Exam {
    /// Returns `count` exercises, the topics in turn.
    pub fn new(topics: &[Topic], count: usize, seed: u64) -> Self {
        let exercises = topics.iter().cycle().take(count).enumerate();
        let exercises = exercises.map(|(number, &topic)| {
            let lab = format!("{LAB} {number} {}", topic.name());
            Exercise::new(topic, &VariantKey::of_seed(&lab, seed))
        });
        Self {
            seed,
            exercises: exercises.collect(),
        }
    }

    /// Returns one exercise for each of the topics, drawn one after the other from a key.
    pub fn of_key(topics: &[Topic], key: &VariantKey) -> Self {
        let mut draws = key.draws();
        let exercises = topics
            .iter()
            .map(|&topic| Exercise::draw(topic, &mut draws));
        Self {
            seed: 0,
            exercises: exercises.collect(),
        }
    }

    /// Marks a sheet. Of two answers to one question, the last counts.
    pub fn mark(&self, sheet: &AnswerSheet) -> Score {
        let mark = |exercise: usize, number: usize, question: &Question| {
            let mut answers = sheet.answers.iter().rev();
            let given = answers.find(|(at, asked, _)| (*at, *asked) == (exercise, number));
            match given {
                None => Mark::Missing,
                Some((_, _, text)) if text.is_empty() => Mark::Missing,
                Some((_, _, text)) if question.answer.accepts(text) => Mark::Right,
                Some(_) => Mark::Wrong,
            }
        };
        let marks = (1..).zip(&self.exercises).map(|(at, exercise)| {
            let questions = (1..).zip(&exercise.questions);
            questions
                .map(|(number, question)| mark(at, number, question))
                .collect()
        });
        Score {
            marks: marks.collect(),
        }
    }
}

impl AnswerSheet {
    /// Reads lines `EXERCISE.QUESTION ANSWER`, as `2.3 0x1234`; a `:` or `=` may stand between.
    pub fn read(text: &str) -> Self {
        let mut sheet = Self::default();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match answer(line) {
                Some(answer) => sheet.answers.push(answer),
                None => sheet.unread.push(number),
            }
        }
        sheet
    }

    /// Returns the lines that are no answers, from 1.
    pub fn unread(&self) -> &[usize] {
        &self.unread
    }
}

fn answer(line: &str) -> Option<(usize, usize, String)> {
    // A question that is left open has its number alone: an empty answer.
    let end = line.find([' ', ':', '=', '\t']).unwrap_or(line.len());
    let (place, rest) = line.split_at(end);
    let (exercise, question) = place.split_once('.')?;
    let text = rest.trim_start_matches([' ', ':', '=', '\t']).to_owned();
    Some((exercise.parse().ok()?, question.parse().ok()?, text))
}
