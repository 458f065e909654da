//! The values templates work on.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::types::{Field, Struct, Type};

/// A value as Go's templates distinguish them. Cloning is cheap.
#[derive(Clone)]
pub enum Value {
    /// No value at all: what looking up a missing key gives. Prints `<no value>`.
    Missing,
    /// A nil `any`.
    Nil,
    /// A nil pointer to a value of this shape. Prints `<nil>`.
    NilPointer(&'static Type),
    Bool(bool),
    Int(i64),
    Float(f64),
    /// A number as its JSON text (Go's `json.Number`, which is a string to templates).
    Number(Rc<str>),
    Str(Rc<str>),
    /// A string of a Go type with a name of its own.
    Named(Rc<str>, &'static str),
    /// A point in time, in RFC 3339.
    Time(Rc<str>),
    /// A length of time in nanoseconds.
    Duration(i64),
    List(List),
    Map(Map),
    Struct(Rc<Record>),
    Object(Rc<dyn Object>),
}

/// A slice; `items` is `None` for a nil one.
#[derive(Clone)]
pub struct List {
    pub items: Option<Rc<[Value]>>,
    pub item: &'static Type,
}

/// A map with string keys; `entries` is `None` for a nil one.
#[derive(Clone)]
pub struct Map {
    pub entries: Option<Rc<BTreeMap<String, Value>>>,
    /// Go's type of the keys.
    pub key: &'static str,
    pub item: &'static Type,
}

/// A struct's fields, in the order of its shape.
pub struct Record {
    pub shape: &'static Struct,
    pub fields: Vec<Value>,
    /// Reached by a pointer, which error messages tell.
    pub pointer: bool,
}

impl Record {
    pub(crate) fn type_name(&self) -> String {
        format!("{}{}", if self.pointer { "*" } else { "" }, self.shape.name)
    }
}

/// A value whose parts are computed when a template asks for them: a row of a listing, a header.
pub trait Object {
    /// Go's name of the type, for error messages, e.g. `*formatter.ContainerContext`.
    fn type_name(&self) -> &str;

    /// How many arguments the method `name` takes; `None` if there is no such method.
    fn arity(&self, name: &str) -> Option<usize>;

    /// Calls a method that [`Object::arity`] knows, with as many arguments as it said.
    fn call(&self, name: &str, args: &[Value]) -> Result<Value, String>;

    /// What `json` shows: names and values, in order.
    fn json(&self) -> Vec<(String, Value)>;
}

impl List {
    pub fn items(&self) -> &[Value] {
        self.items.as_deref().unwrap_or_default()
    }
}

impl Map {
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries.as_deref()?.get(key)
    }

    pub fn len(&self) -> usize {
        self.entries.as_deref().map_or(0, BTreeMap::len)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn iter(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.entries.as_deref().into_iter().flatten()
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Str(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Str(text.into())
    }
}

impl Value {
    /// A slice of strings.
    pub fn strings<S: AsRef<str>>(items: impl IntoIterator<Item = S>) -> Value {
        let items = items.into_iter().map(|item| Value::from(item.as_ref())).collect();
        Value::List(List { items: Some(items), item: &Type::String })
    }

    /// Any JSON, as Go decodes it into `any` with `UseNumber`.
    pub fn raw(json: &serde_json::Value) -> Value {
        Value::typed(json, &Type::Raw)
    }

    /// JSON as Go decodes it into a value of this shape: unknown keys are dropped, and what is missing or of another
    /// kind is the shape's zero value.
    pub fn typed(json: &serde_json::Value, shape: &'static Type) -> Value {
        use serde_json::Value as Json;
        match (shape, json) {
            (Type::Any | Type::Raw, _) => untyped(json, shape),
            (_, Json::Null) => Value::zero(shape),
            (Type::Pointer(Type::Struct(shape)), Json::Object(entries)) => record(shape, entries, true),
            (Type::Pointer(to), _) => Value::typed(json, to),
            (Type::Bool, Json::Bool(value)) => Value::Bool(*value),
            (Type::Int(_), Json::Number(number)) => Value::Int(integer(number)),
            (Type::Duration, Json::Number(number)) => Value::Duration(integer(number)),
            (Type::Float, Json::Number(number)) => Value::Float(number.as_f64().unwrap_or_default()),
            (Type::String, Json::String(text)) => Value::from(text.as_str()),
            (Type::Named(name), Json::String(text)) => Value::Named(text.as_str().into(), name),
            (Type::Time, Json::String(text)) => Value::Time(text.as_str().into()),
            (Type::List(item), Json::Array(items)) => {
                let items = items.iter().map(|json| Value::typed(json, item)).collect();
                Value::List(List { items: Some(items), item })
            }
            (Type::Map(item), Json::Object(entries)) => map(entries, "string", item),
            (Type::KeyedMap(key, item), Json::Object(entries)) => map(entries, key, item),
            (Type::Struct(shape), Json::Object(entries)) => record(shape, entries, false),
            _ => Value::zero(shape),
        }
    }

    /// Go's zero value of a shape.
    pub fn zero(shape: &'static Type) -> Value {
        match shape {
            Type::Bool => Value::Bool(false),
            Type::Int(_) => Value::Int(0),
            Type::Float => Value::Float(0.0),
            Type::String => Value::from(""),
            Type::Named(name) => Value::Named("".into(), name),
            Type::Time => Value::Time("0001-01-01T00:00:00Z".into()),
            Type::Duration => Value::Duration(0),
            Type::Any | Type::Raw => Value::Nil,
            Type::List(item) => Value::List(List { items: None, item }),
            Type::Map(item) => Value::Map(Map { entries: None, key: "string", item }),
            Type::KeyedMap(key, item) => Value::Map(Map { entries: None, key, item }),
            Type::Pointer(to) => Value::NilPointer(to),
            Type::Struct(shape) => {
                let fields = shape.fields.iter().map(|field| Value::zero(field.shape)).collect();
                Value::Struct(Rc::new(Record { shape, fields, pointer: false }))
            }
        }
    }

    /// The value's Go type, as error messages name it.
    pub fn type_name(&self) -> String {
        match self {
            Value::Missing | Value::Nil => "interface {}".into(),
            Value::NilPointer(to) => format!("*{}", to.go_name()),
            Value::Bool(_) => "bool".into(),
            Value::Int(_) => "int".into(),
            Value::Float(_) => "float64".into(),
            Value::Number(_) => "json.Number".into(),
            Value::Str(_) => "string".into(),
            Value::Named(_, name) => (*name).into(),
            Value::Time(_) => "time.Time".into(),
            Value::Duration(_) => "time.Duration".into(),
            Value::List(list) => format!("[]{}", list.item.go_name()),
            Value::Map(map) => format!("map[{}]{}", map.key, map.item.go_name()),
            Value::Struct(record) => record.type_name(),
            Value::Object(object) => object.type_name().into(),
        }
    }

    /// The text of a value of string kind.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(text) | Value::Named(text, _) | Value::Number(text) => Some(text),
            _ => None,
        }
    }

    /// Go templates' truth: neither zero nor empty nor nil.
    pub(crate) fn is_true(&self) -> bool {
        match self {
            Value::Missing | Value::Nil | Value::NilPointer(_) => false,
            Value::Bool(value) => *value,
            Value::Int(value) | Value::Duration(value) => *value != 0,
            Value::Float(value) => *value != 0.0,
            Value::Number(text) | Value::Str(text) | Value::Named(text, _) => !text.is_empty(),
            Value::List(list) => !list.items().is_empty(),
            Value::Map(map) => !map.is_empty(),
            Value::Time(_) | Value::Struct(_) | Value::Object(_) => true,
        }
    }

    /// Go's `omitempty` test.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Value::Time(_) | Value::Struct(_) | Value::Object(_) => false,
            other => !other.is_true(),
        }
    }
}

fn record(shape: &'static Struct, entries: &serde_json::Map<String, serde_json::Value>, pointer: bool) -> Value {
    let field = |field: &'static Field| match entries.get(field.json) {
        Some(json) => Value::typed(json, field.shape),
        None => Value::zero(field.shape),
    };
    Value::Struct(Rc::new(Record { shape, fields: shape.fields.iter().map(field).collect(), pointer }))
}

fn map(entries: &serde_json::Map<String, serde_json::Value>, key: &'static str, item: &'static Type) -> Value {
    let entries = entries.iter().map(|(key, json)| (key.clone(), Value::typed(json, item))).collect();
    Value::Map(Map { entries: Some(Rc::new(entries)), key, item })
}

fn integer(number: &serde_json::Number) -> i64 {
    number.as_i64().unwrap_or_else(|| number.as_f64().map_or(0, |value| value as i64))
}

fn untyped(json: &serde_json::Value, shape: &'static Type) -> Value {
    use serde_json::Value as Json;
    match json {
        Json::Null => Value::Nil,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) if *shape == Type::Raw => Value::Number(number.to_string().into()),
        Json::Number(number) => Value::Float(number.as_f64().unwrap_or_default()),
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => {
            let items = items.iter().map(|json| untyped(json, shape)).collect();
            Value::List(List { items: Some(items), item: shape })
        }
        Json::Object(entries) => {
            let entries = entries.iter().map(|(key, json)| (key.clone(), untyped(json, shape))).collect();
            Value::Map(Map { entries: Some(Rc::new(entries)), key: "string", item: shape })
        }
    }
}
