//! The Go structs that `inspect`, `version`, `info` and `events` templates read, as data (docker/cli 28.2.2's types;
//! field names, order and omission as that client shows them in `--format '{{json .}}'`).

pub mod container;
pub mod event;
pub mod host_config;
pub mod image;
pub mod network;
pub mod system;
pub mod volume;

use gotemplate::{Field, Struct, Type};

const BOOL: Type = Type::Bool;
const INT: Type = Type::Int("int");
const INT64: Type = Type::Int("int64");
const TEXT: Type = Type::String;
const TEXTS: Type = Type::STRINGS;
const MAP: Type = Type::LABELS;

const UNIT: Type = Type::Struct(&Struct { name: "struct {}", fields: &[] });

/// A set: `map[string]struct{}`.
const SET: Type = Type::Map(&UNIT);

/// A set of ports: `nat.PortSet`.
const PORT_SET: Type = Type::KeyedMap("nat.Port", &UNIT);

const fn same(name: &'static str, shape: &'static Type) -> Field {
    Field::same(name, shape)
}

const fn named(go: &'static str, json: &'static str, shape: &'static Type) -> Field {
    Field::named(go, json, shape)
}

const fn maybe(name: &'static str, shape: &'static Type) -> Field {
    Field::same(name, shape).omit_empty()
}
