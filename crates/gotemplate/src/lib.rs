//! Go's `text/template` as Docker's client offers it in `--format`.
//!
//! A template is parsed once and rendered over a [`Value`]: JSON decoded into a Go shape ([`Value::typed`]), any JSON
//! ([`Value::raw`]), or an [`Object`] whose parts are computed on demand, as a listing's row. The language, the way
//! values print, and the sentences of errors are Go's, for scripts read all three:
//! <https://pkg.go.dev/text/template>, <https://pkg.go.dev/fmt>, <https://docs.docker.com/engine/cli/formatting/>.
//!
//! Nothing is escaped for HTML. Known differences: complex number constants are refused, templates nest 200 deep at most, and half a
//! character left by a cut is shown as the replacement character.

mod ast;
mod compare;
mod eval;
mod exec;
mod functions;
mod json;
mod lex;
mod number;
mod parse;
mod print;
mod printf;
mod quote;
mod types;
mod value;

pub use json::to_json;
pub use quote::quote;
pub use types::{Field, Struct, Type};
pub use value::{List, Map, Object, Record, Value};

/// What is wrong with a template or its run: Go's sentence, from `template: ` on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(String);

impl Error {
    pub(crate) fn new(message: String) -> Error {
        Error(message)
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

/// What a key that a map does not have gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingKey {
    /// `<no value>`
    Default,
    Error,
}

/// Which functions a run offers beside Go's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Functions {
    /// `json split join title lower upper pad truncate`
    Docker,
    /// The same names, but all except `pad` give back their first argument: a table's header runs the rows' template
    /// over its captions.
    Header,
}

/// A parsed template.
#[derive(Clone, Debug)]
pub struct Template {
    name: String,
    text: String,
    definitions: Vec<parse::Definition>,
}

impl Template {
    /// Parses a template; Docker leaves the name empty.
    pub fn parse(name: &str, text: &str) -> Result<Template, Error> {
        let definitions = parse::parse(name, text)?;
        Ok(Template { name: name.into(), text: text.into(), definitions })
    }

    /// Renders with Docker's functions; a missing key prints `<no value>`.
    pub fn render(&self, data: &Value) -> Result<String, Error> {
        self.render_with(data, Functions::Docker, MissingKey::Default)
    }

    /// Renders with a choice of functions and of what a missing key does.
    pub fn render_with(&self, data: &Value, functions: Functions, missing: MissingKey) -> Result<String, Error> {
        let (text, done) = exec::execute(self, data, functions, missing);
        done.map(|()| text)
    }

    /// Renders and keeps what was printed before an error, as Go does when it writes as it goes.
    pub fn render_partly(&self, data: &Value, functions: Functions) -> (String, Result<(), Error>) {
        exec::execute(self, data, functions, MissingKey::Default)
    }
}
