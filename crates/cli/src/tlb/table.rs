//! Results as tables, in every form.

use std::fmt::Write;

use serde_json::{Map, Value, json};

/// The version of the objects' layout. It grows when a field changes its meaning or goes away.
const SCHEMA: u32 = 1;
/// Digits behind the point.
const DECIMALS: usize = 6;
/// The most rows that are shown as columns.
const MAX_ACROSS: usize = 5;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    Text(String),
    Count(u64),
    Signed(i64),
    Number(f64),
    None,
}

impl Cell {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// Returns a count, or nothing.
    pub(crate) fn maybe(count: Option<u64>) -> Self {
        count.map_or(Self::None, Self::Count)
    }

    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Count(count) => count.to_string(),
            Self::Signed(count) => count.to_string(),
            Self::Number(number) => format!("{number:.DECIMALS$}"),
            Self::None => "-".to_owned(),
        }
    }

    fn csv(&self) -> String {
        match self {
            Self::Text(text) if text.contains([',', '"', '\n']) => {
                format!("\"{}\"", text.replace('"', "\"\""))
            }
            Self::None => String::new(),
            _ => self.shown(),
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Text(text) => json!(text),
            Self::Count(count) => json!(count),
            Self::Signed(count) => json!(count),
            Self::Number(number) => json!(number),
            Self::None => Value::Null,
        }
    }

    fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }
}

/// A table with what has to be known of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    /// What it is, as a word of JSON.
    pub(crate) name: &'static str,
    /// What has to be known: a word and what it says.
    pub(crate) notes: Vec<(&'static str, String)>,
    pub(crate) columns: Vec<&'static str>,
    pub(crate) rows: Vec<Vec<Cell>>,
    /// Whether text shows few rows as columns.
    pub(crate) across: Across,
}

/// How text shows rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Across {
    /// As rows.
    #[default]
    Rows,
    /// Few rows as columns.
    Columns,
}

impl Table {
    /// Returns the table for people.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let width = self
            .notes
            .iter()
            .map(|(word, _)| word.len())
            .max()
            .unwrap_or(0);
        for (word, note) in &self.notes {
            let _ = writeln!(text, "{word:width$}  {note}");
        }
        if !self.notes.is_empty() && !self.rows.is_empty() {
            text.push('\n');
        }
        if self.across == Across::Columns && self.rows.len() <= MAX_ACROSS {
            self.turned(&mut text);
        } else {
            let names = self.columns.iter().map(|name| (*name).to_owned()).collect();
            let rows = self
                .rows
                .iter()
                .map(|row| row.iter().map(Cell::shown).collect());
            let left: Vec<bool> = (0..self.columns.len())
                .map(|column| self.rows.iter().any(|row| row[column].is_text()))
                .collect();
            align(
                &mut text,
                &std::iter::once(names).chain(rows).collect::<Vec<_>>(),
                &left,
            );
        }
        text
    }

    /// Writes a line for each column that has a value in some row.
    fn turned(&self, text: &mut String) {
        let lines = self
            .columns
            .iter()
            .enumerate()
            .filter_map(|(column, name)| {
                let has_value = self.rows.iter().any(|row| row[column] != Cell::None);
                let values = self.rows.iter().map(|row| row[column].shown());
                has_value.then(|| std::iter::once((*name).to_owned()).chain(values).collect())
            });
        let mut left = vec![false; self.rows.len() + 1];
        left[0] = true;
        align(text, &lines.collect::<Vec<_>>(), &left);
    }

    /// Returns the rows, with a line of names.
    pub(crate) fn csv(&self) -> String {
        let mut text = self.columns.join(",") + "\n";
        for row in &self.rows {
            text += &row.iter().map(Cell::csv).collect::<Vec<_>>().join(",");
            text.push('\n');
        }
        text
    }

    /// Returns an object for each row, with the notes.
    pub(crate) fn json_lines(&self) -> String {
        let mut text = String::new();
        for row in &self.rows {
            let mut object = Map::new();
            object.insert("schema".to_owned(), json!(SCHEMA));
            object.insert("table".to_owned(), json!(self.name));
            for (word, note) in &self.notes {
                object.insert(word.replace(' ', "_"), json!(note));
            }
            object.extend(self.object(row));
            let _ = writeln!(text, "{}", Value::Object(object));
        }
        text
    }

    fn object(&self, row: &[Cell]) -> Map<String, Value> {
        let values = self.columns.iter().zip(row);
        values
            .map(|(name, cell)| ((*name).to_owned(), cell.json()))
            .collect()
    }
}

/// Returns all tables as one object.
pub(crate) fn json(tables: &[Table]) -> Value {
    let mut object = Map::new();
    object.insert("schema".to_owned(), json!(SCHEMA));
    for table in tables {
        for (word, note) in &table.notes {
            object.insert(word.replace(' ', "_"), json!(note));
        }
        let rows = table
            .rows
            .iter()
            .map(|row| Value::Object(table.object(row)));
        object.insert(table.name.to_owned(), rows.collect());
    }
    Value::Object(object)
}

/// Writes rows of words in columns; those of `left` begin at the same place, others end there.
fn align(text: &mut String, rows: &[Vec<String>], left: &[bool]) {
    let width = |column: usize| {
        let words = rows.iter().filter_map(|row| row.get(column));
        words.map(|word| word.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..left.len()).map(width).collect();
    for row in rows {
        let mut line = String::new();
        for ((word, &width), &left) in row.iter().zip(&widths).zip(left) {
            let _ = if left {
                write!(line, "{word:width$}  ")
            } else {
                write!(line, "{word:>width$}  ")
            };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
}
