//! A report in one file: no network, light and dark.

use std::fmt::Write;

use crate::tlb::chart::{self, escaped};
use crate::tlb::table::{Cell, Table};

/// Returns the page.
pub(crate) fn page(title: &str, table: &Table, pictures: &[(&str, String)]) -> String {
    let mut body = format!("<h1>{}</h1>\n<dl>\n", escaped(title));
    for (word, note) in &table.notes {
        let _ = writeln!(body, "<dt>{}</dt><dd>{}</dd>", escaped(word), escaped(note));
    }
    body += "</dl>\n";
    for (heading, picture) in pictures {
        let _ = writeln!(
            body,
            "<h2>{}</h2>\n<figure>{picture}</figure>",
            escaped(heading)
        );
    }
    body += "<h2>Numbers</h2>\n";
    body += &numbers(table);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{}</title>\n<style>{}{STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n",
        escaped(title),
        chart::STYLE,
    )
}

const STYLE: &str = "
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  background: var(--paper); color: var(--ink); }
dt { font-weight: 600; } dd { margin: 0 0 .5rem 0; } figure { margin: 0; overflow-x: auto; }
figure svg { display: block; width: 100%; min-width: 44rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .15rem .6rem; text-align: right; border-bottom: 1px solid var(--grid); }
th:first-child { text-align: left; font-weight: 400; }
.scroll { overflow-x: auto; }
@media print { body { max-width: none; margin: 0; font-size: 11px; } figure { break-inside: avoid; } figure svg { min-width: 0; }
  h2 { break-after: avoid; } * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
";

/// Returns the table, a line for each column.
fn numbers(table: &Table) -> String {
    let mut html = String::from("<div class=\"scroll\"><table>\n");
    for (column, name) in table.columns.iter().enumerate() {
        if table.rows.iter().all(|row| row[column] == Cell::None) {
            continue;
        }
        let _ = write!(html, "<tr><th>{}</th>", escaped(name));
        for row in &table.rows {
            let _ = write!(html, "<td>{}</td>", escaped(&row[column].shown()));
        }
        html += "</tr>\n";
    }
    html + "</table></div>\n"
}
