//! `volume.Volume`.

use gotemplate::{Struct, Type};

use super::{INT64, MAP, TEXT, maybe, same};

/// What `GET /volumes/{name}` answers.
pub const INSPECT: Type = Type::Struct(&Struct {
    name: "volume.Volume",
    fields: &[
        maybe("ClusterVolume", &Type::Pointer(&Type::Any)),
        maybe("CreatedAt", &TEXT),
        same("Driver", &TEXT),
        same("Labels", &MAP),
        same("Mountpoint", &TEXT),
        same("Name", &TEXT),
        same("Options", &MAP),
        same("Scope", &TEXT),
        maybe("Status", &Type::Map(&Type::Any)),
        maybe("UsageData", &Type::Pointer(&USAGE)),
    ],
});

const USAGE: Type =
    Type::Struct(&Struct { name: "volume.UsageData", fields: &[same("RefCount", &INT64), same("Size", &INT64)] });
