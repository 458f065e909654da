//! The shapes of Go values that templates can see.
//!
//! Docker's client decodes an answer into Go structs before a template reads it, so what a template may say, and
//! what it prints, depends on those structs: Go's field names (`.ID` beside JSON's `Id`), zero values where the
//! daemon left a field out, the order of fields in `{{json .}}`. A [`Type`] is such a shape, as constant data.

/// The shape of a value.
#[derive(Debug, PartialEq)]
pub enum Type {
    Bool,
    /// An integer; the name is Go's (`int`, `int64`, `container.IsolationMode`, …).
    Int(&'static str),
    Float,
    String,
    /// A string with a Go type of its own, such as `container.NetworkMode`.
    Named(&'static str),
    /// `time.Time`, an RFC 3339 string in JSON.
    Time,
    /// `time.Duration`, nanoseconds in JSON.
    Duration,
    /// `any`, its numbers as `float64`.
    Any,
    /// `any`, its numbers kept as they were written (`json.Number`).
    Raw,
    List(&'static Type),
    Map(&'static Type),
    /// A map whose keys are a Go string type of their own, which no plain string can index.
    KeyedMap(&'static str, &'static Type),
    /// A pointer, `nil` where the JSON has nothing.
    Pointer(&'static Type),
    Struct(&'static Struct),
}

/// A Go struct.
#[derive(Debug, PartialEq)]
pub struct Struct {
    /// Go's name with its package, e.g. `container.State`.
    pub name: &'static str,
    pub fields: &'static [Field],
}

/// A field of a struct.
#[derive(Debug, PartialEq)]
pub struct Field {
    /// Go's name.
    pub go: &'static str,
    /// The key in JSON; empty for a field that JSON leaves out.
    pub json: &'static str,
    pub shape: &'static Type,
    /// Left out of JSON when empty.
    pub omit_empty: bool,
}

impl Field {
    /// A field that has one name in Go and JSON.
    pub const fn same(name: &'static str, shape: &'static Type) -> Field {
        Field { go: name, json: name, shape, omit_empty: false }
    }

    /// A field whose names differ.
    pub const fn named(go: &'static str, json: &'static str, shape: &'static Type) -> Field {
        Field { go, json, shape, omit_empty: false }
    }

    /// The same field, left out of JSON when empty.
    pub const fn omit_empty(self) -> Field {
        Field { omit_empty: true, ..self }
    }
}

impl Type {
    /// `[]string`
    pub const STRINGS: Type = Type::List(&Type::String);
    /// `map[string]string`
    pub const LABELS: Type = Type::Map(&Type::String);

    /// The type as Go writes it.
    pub fn go_name(&self) -> String {
        match self {
            Type::Bool => "bool".into(),
            Type::Int(name) | Type::Named(name) => (*name).into(),
            Type::Float => "float64".into(),
            Type::String => "string".into(),
            Type::Time => "time.Time".into(),
            Type::Duration => "time.Duration".into(),
            Type::Any | Type::Raw => "interface {}".into(),
            Type::List(item) => format!("[]{}", item.go_name()),
            Type::Map(item) => format!("map[string]{}", item.go_name()),
            Type::KeyedMap(key, item) => format!("map[{key}]{}", item.go_name()),
            Type::Pointer(to) => format!("*{}", to.go_name()),
            Type::Struct(shape) => shape.name.into(),
        }
    }
}
