//! `events.Message`.

use gotemplate::{Struct, Type};

use super::{INT64, MAP, TEXT, named, same};

/// One event of `GET /events`.
pub const MESSAGE: Type = Type::Struct(&Struct {
    name: "events.Message",
    fields: &[
        named("Status", "status", &TEXT).omit_empty(),
        named("ID", "id", &TEXT).omit_empty(),
        named("From", "from", &TEXT).omit_empty(),
        same("Type", &Type::Named("events.Type")),
        same("Action", &Type::Named("events.Action")),
        same("Actor", &ACTOR),
        named("Scope", "scope", &TEXT).omit_empty(),
        named("Time", "time", &INT64).omit_empty(),
        named("TimeNano", "timeNano", &INT64).omit_empty(),
    ],
});

const ACTOR: Type =
    Type::Struct(&Struct { name: "events.Actor", fields: &[same("ID", &TEXT), same("Attributes", &MAP)] });
