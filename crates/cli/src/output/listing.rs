//! Listings: rows of columns, shown as a table, as JSON objects or by a template.

use std::rc::Rc;

use gotemplate::{Functions, Object, Template, Value};

use super::columns;
use crate::failure::Failure;

/// Help of `--format` where rows are shown.
pub const FORMAT_HELP: &str = "Format output using a custom template:
'table':            Print output in table format with column headers (default)
'table TEMPLATE':   Print output in table format using the given Go template
'json':             Print in JSON format
'TEMPLATE':         Print output using the given Go template.
Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates";

/// One column: the name templates use, its caption, and its value in a row.
pub struct Column<R: 'static> {
    pub name: &'static str,
    pub caption: &'static str,
    pub value: fn(&R) -> Value,
}

/// A kind of listing.
pub struct Listing<R: 'static> {
    /// Go's name of the row's type, for error messages.
    pub type_name: &'static str,
    /// In alphabetical order of their names: `--format json` shows them so.
    pub columns: &'static [Column<R>],
    /// The value of a label, where rows have labels (`{{.Label "key"}}`).
    pub label: Option<fn(&R, &str) -> String>,
}

/// Turns what `--format` was given (or its default) into template text: `\t` and `\n` are read as in C.
pub fn unescaped(format: &str) -> String {
    format.trim_matches(' ').replace("\\t", "\t").replace("\\n", "\n")
}

impl<R: 'static> Listing<R> {
    /// Shows the rows. `format` is `table TEMPLATE`, `json`, or a template.
    ///
    /// # Errors
    /// What is wrong with the template, in Docker's words.
    pub fn render(&'static self, format: &str, rows: impl IntoIterator<Item = R>) -> Result<String, Failure> {
        let (is_table, text) = match format.strip_prefix("table") {
            Some(rest) => (true, unescaped(rest)),
            None if format == "json" => (false, "{{json .}}".into()),
            None => (false, unescaped(format)),
        };
        let template = parse(&text)?;
        let mut body = String::new();
        for row in rows {
            let row = self.value(row);
            let line =
                template.render(&row).map_err(|error| Failure::new(format!("template parsing error: {error}")))?;
            body.push_str(&line);
            body.push('\n');
        }
        if !is_table {
            return Ok(body);
        }
        let header = Value::Object(Rc::new(Header { listing: self }));
        // a function that cannot take a caption ends the header, not the listing
        let (header, _) = template.render_partly(&header, Functions::Header);
        Ok(columns::align(&format!("{header}\n{body}")))
    }

    /// A row as a template's value.
    pub fn value(&'static self, row: R) -> Value {
        Value::Object(Rc::new(Row { listing: self, row }))
    }

    /// Runs `format` as it was given over one row, for the row to note which columns it uses.
    ///
    /// # Errors
    /// What is wrong with the template, in the words of `ps`, which alone looks ahead.
    pub fn probe(&'static self, format: &str, row: R) -> Result<(), Failure> {
        let template =
            Template::parse("", format).map_err(|error| Failure::new(format!("failed to parse template: {error}")))?;
        let row = self.value(row);
        match template.render(&row) {
            Ok(_) => Ok(()),
            Err(error) => Err(Failure::new(format!("failed to execute template: {error}"))),
        }
    }
}

fn parse(text: &str) -> Result<Template, Failure> {
    Template::parse("", text).map_err(|error| Failure::new(format!("template parsing error: {error}")))
}

struct Row<R: 'static> {
    listing: &'static Listing<R>,
    row: R,
}

impl<R> Object for Row<R> {
    fn type_name(&self) -> &str {
        self.listing.type_name
    }

    fn arity(&self, name: &str) -> Option<usize> {
        match name {
            "Label" if self.listing.label.is_some() => Some(1),
            _ => self.listing.columns.iter().any(|column| column.name == name).then_some(0),
        }
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Value, String> {
        if let (Some(label), Some(key)) = (self.listing.label, args.first().and_then(Value::as_str)) {
            return Ok(label(&self.row, key).into());
        }
        let column = self.listing.columns.iter().find(|column| column.name == name);
        Ok(column.map_or(Value::Missing, |column| (column.value)(&self.row)))
    }

    fn json(&self) -> Vec<(String, Value)> {
        self.listing.columns.iter().map(|column| (column.name.into(), (column.value)(&self.row))).collect()
    }
}

/// Captions under the names of columns; a label's caption is the last part of its key.
struct Header<R: 'static> {
    listing: &'static Listing<R>,
}

impl<R> Object for Header<R> {
    fn type_name(&self) -> &str {
        "formatter.SubHeaderContext"
    }

    fn arity(&self, name: &str) -> Option<usize> {
        Some(usize::from(name == "Label"))
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Value, String> {
        if let Some(key) = args.first().and_then(Value::as_str) {
            let last = key.rsplit('.').next().unwrap_or_default();
            return Ok(last.replace(['-', '_'], " ").into());
        }
        let column = self.listing.columns.iter().find(|column| column.name == name && !column.caption.is_empty());
        Ok(column.map_or(Value::Missing, |column| column.caption.into()))
    }

    fn json(&self) -> Vec<(String, Value)> {
        let captioned = self.listing.columns.iter().filter(|column| !column.caption.is_empty());
        captioned.map(|column| (column.name.into(), column.caption.into())).collect()
    }
}
