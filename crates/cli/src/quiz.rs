//! `pagefault quiz`: generated exercises, with answers that the models give.

use std::fmt::Write;
use std::path::PathBuf;

use clap::ValueEnum;
use pagefault_lab::picture::escaped;
use pagefault_lab::quiz::{AnswerSheet, Exam, Mark, Score, Topic};
use serde_json::{Value, json};

use crate::json::SCHEMA;
use crate::{files, output};

/// Some answer is wrong or missing.
const EXIT_WRONG: u8 = 1;
/// The answers cannot be read.
const EXIT_NO_ANSWERS: u8 = 123;
/// The most exercises of an exam.
const MAX_EXERCISES: u32 = 200;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Topics: translate, error-code, tlb-place, tlb-sequence, tlb-reach, lru-plru, stale, replacement, fault-count,
working-set, access-time, query; without one, all in turn.
Answers are lines as `1.2 0x1234`: exercise 1, question 2. Notation does not matter: hex or decimal, case, 0x or h.
Exit codes: 0; 1 an answer is wrong or missing; 2 the command line is wrong; 123 the answers cannot be read;
125 a file cannot be written.")]
pub(crate) struct QuizArguments {
    /// What the exercises are about.
    #[arg(value_parser = topic)]
    topics: Vec<Topic>,
    /// What the exercises are drawn from.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How many exercises; without it, one of each topic.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_EXERCISES)))]
    count: Option<u32>,
    /// Reveal the answers, and how one comes to them.
    #[arg(short = 'c', long)]
    compute: bool,
    /// Mark a file of answers.
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
    /// The form of the result.
    #[arg(long, value_enum, default_value_t)]
    format: Form,
    /// Where the result goes, in place of standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Form {
    #[default]
    Text,
    Json,
    /// One page to print, with room for answers.
    Html,
}

/// Runs the command and returns its exit code.
///
/// # Errors
///
/// What was asked for cannot be written.
pub(crate) fn run(arguments: &QuizArguments) -> anyhow::Result<u8> {
    let all = Topic::NAMES.map(|(_, topic)| topic);
    let topics = if arguments.topics.is_empty() {
        &all[..]
    } else {
        &arguments.topics
    };
    let count = arguments.count.map_or(topics.len(), |count| count as usize);
    let exam = Exam::new(topics, count, arguments.seed);
    let (text, code) = match &arguments.check {
        None => (shown(arguments, &exam), 0),
        Some(path) => match files::read(path) {
            Ok(bytes) => {
                let sheet = AnswerSheet::read(&String::from_utf8_lossy(&bytes));
                for line in sheet.unread() {
                    anstream::eprintln!(
                        "{}: line {line}: an answer is written as 1.2 0x1234",
                        path.display()
                    );
                }
                let score = exam.mark(&sheet);
                let is_whole = score.right() == score.questions();
                (
                    marked(arguments, &score),
                    if is_whole { 0 } else { EXIT_WRONG },
                )
            }
            Err(reason) => {
                anstream::eprintln!("error: cannot read {}: {reason}", path.display());
                return Ok(EXIT_NO_ANSWERS);
            }
        },
    };
    match &arguments.out {
        Some(path) => {
            output::write_file(path, text.as_bytes())?;
        }
        None => output::print(&text)?,
    }
    Ok(code)
}

fn topic(name: &str) -> Result<Topic, String> {
    let known = Topic::NAMES.map(|(name, _)| name).join(", ");
    Topic::named(name).ok_or_else(|| format!("unknown topic; there are {known}"))
}

/// Whether an exam is printed with its answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answers {
    Hidden,
    Shown,
}

fn shown(arguments: &QuizArguments, exam: &Exam) -> String {
    let answers = if arguments.compute {
        Answers::Shown
    } else {
        Answers::Hidden
    };
    match arguments.format {
        Form::Text => text(exam, answers),
        Form::Json => format!("{:#}\n", object(exam, answers)),
        Form::Html => page(exam, answers),
    }
}

/// Returns the exam as text, with the answers if they are computed.
fn text(exam: &Exam, answers: Answers) -> String {
    let mut text = String::new();
    for (number, exercise) in (1..).zip(&exam.exercises) {
        let _ = writeln!(text, "{number}. {}\n", exercise.title);
        for line in &exercise.given {
            let _ = writeln!(text, "   {line}");
        }
        text.push('\n');
        for (question, asked) in (1..).zip(&exercise.questions) {
            let _ = writeln!(text, "{number}.{question} {}", asked.text);
            if answers == Answers::Shown {
                let _ = writeln!(text, "    answer: {}", asked.answer);
                for line in &asked.worked {
                    let _ = writeln!(text, "      {line}");
                }
            }
        }
        text.push('\n');
    }
    let hint = if answers == Answers::Shown {
        String::new()
    } else {
        format!("The same seed, {}, with -c shows the answers.\n", exam.seed)
    };
    text + &hint
}

fn object(exam: &Exam, answers: Answers) -> Value {
    let exercises = exam.exercises.iter().map(|exercise| {
        let questions = exercise.questions.iter().map(|question| {
            let mut object = json!({ "text": question.text });
            if answers == Answers::Shown {
                object["answer"] = json!(question.answer.to_string());
                object["worked"] = json!(question.worked);
            }
            object
        });
        json!({
            "topic": exercise.topic.name(),
            "title": exercise.title,
            "given": exercise.given,
            "questions": questions.collect::<Vec<_>>(),
        })
    });
    json!({
        "schema": SCHEMA,
        "seed": exam.seed,
        "exercises": exercises.collect::<Vec<_>>(),
    })
}

const STYLE: &str = "
:root { --paper: #fff; --ink: #1a1a1a; --given: #f4f4f4; --grid: #888; }
@media screen and (prefers-color-scheme: dark) { :root { --paper: #14171a; --ink: #e8e8e8; --given: #22272c; } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 48rem; margin: 2rem auto; padding: 0 1rem;
  background: var(--paper); color: var(--ink); }
pre { background: var(--given); padding: .6rem; white-space: pre-wrap; overflow-wrap: anywhere; break-inside: avoid; break-after: avoid; }
h2 { break-after: avoid; } .room { border-bottom: 1px solid var(--grid); height: 1.6rem; }
li { margin: .6rem 0; break-inside: avoid; }
@media print { body { margin: 0; max-width: none; } pre { border: 1px solid #ccc; } }
";

fn page(exam: &Exam, answers: Answers) -> String {
    let mut body = format!("<h1>Exercises, seed {}</h1>\n", exam.seed);
    if answers == Answers::Hidden {
        body += "<p>Name: <span class=\"room\" style=\"display:inline-block;width:20rem\"></span></p>\n";
    }
    for (number, exercise) in (1..).zip(&exam.exercises) {
        let given = exercise.given.join("\n");
        let _ = writeln!(
            body,
            "<section>\n<h2>{number}. {}</h2>\n<pre>{}</pre>\n<ol>",
            escaped(&exercise.title),
            escaped(&given)
        );
        for question in &exercise.questions {
            let below = if answers == Answers::Shown {
                format!(
                    "<p><b>{}</b></p><pre>{}</pre>",
                    escaped(&question.answer.to_string()),
                    escaped(&question.worked.join("\n"))
                )
            } else {
                "<div class=\"room\"></div>".to_owned()
            };
            let _ = writeln!(body, "<li>{}{below}</li>", escaped(&question.text));
        }
        body += "</ol>\n</section>\n";
    }
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>Exercises, seed {}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n",
        exam.seed
    )
}

fn marked(arguments: &QuizArguments, score: &Score) -> String {
    let word = |mark: Mark| match mark {
        Mark::Right => "right",
        Mark::Wrong => "wrong",
        Mark::Missing => "missing",
    };
    let marks = (1..).zip(&score.marks).flat_map(|(exercise, marks)| {
        let marks = (1..).zip(marks);
        marks.map(move |(question, &mark)| (format!("{exercise}.{question}"), word(mark)))
    });
    if arguments.format == Form::Json {
        let marks: Vec<Value> = marks
            .map(|(question, mark)| json!({ "question": question, "mark": mark }))
            .collect();
        let object = json!({
            "schema": SCHEMA,
            "right": score.right(),
            "questions": score.questions(),
            "marks": marks,
        });
        return format!("{object:#}\n");
    }
    let mut text = String::new();
    for (question, mark) in marks {
        let _ = writeln!(text, "{question}  {mark}");
    }
    let _ = writeln!(text, "{} of {} right", score.right(), score.questions());
    text
}
