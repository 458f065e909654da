//! `image.InspectResponse`, and what containers share with images.

use gotemplate::{Field, Struct, Type};

use super::{BOOL, INT, INT64, MAP, SET, TEXT, TEXTS, maybe, named, same};

/// What `GET /images/{name}/json` answers.
pub const INSPECT: Type = Type::Struct(&Struct { name: "image.InspectResponse", fields: FIELDS });

const FIELDS: &[Field] = &[
    named("ID", "Id", &TEXT),
    same("RepoTags", &TEXTS),
    same("RepoDigests", &TEXTS),
    same("Parent", &TEXT),
    same("Comment", &TEXT),
    maybe("Created", &TEXT),
    maybe("Container", &TEXT),
    maybe("ContainerConfig", &Type::Pointer(&super::container::CONFIG)),
    same("DockerVersion", &TEXT),
    same("Author", &TEXT),
    same("Config", &Type::Pointer(&CONFIG)),
    same("Architecture", &TEXT),
    maybe("Variant", &TEXT),
    same("Os", &TEXT),
    maybe("OsVersion", &TEXT),
    same("Size", &INT64),
    maybe("VirtualSize", &INT64),
    same("GraphDriver", &DRIVER_DATA),
    same("RootFS", &ROOT_FS),
    same("Metadata", &METADATA),
    maybe("Descriptor", &Type::Pointer(&DESCRIPTOR)),
    maybe("Manifests", &Type::List(&MANIFEST)),
];

const CONFIG: Type = Type::Struct(&Struct {
    name: "v1.DockerOCIImageConfig",
    fields: &[
        maybe("User", &TEXT),
        maybe("ExposedPorts", &SET),
        maybe("Env", &TEXTS),
        maybe("Entrypoint", &TEXTS),
        maybe("Cmd", &TEXTS),
        maybe("Volumes", &SET),
        maybe("WorkingDir", &TEXT),
        maybe("Labels", &MAP),
        maybe("StopSignal", &TEXT),
        maybe("ArgsEscaped", &BOOL),
        maybe("Healthcheck", &Type::Pointer(&HEALTH_CONFIG)),
        maybe("OnBuild", &TEXTS),
        maybe("Shell", &TEXTS),
    ],
});

/// How health is checked.
pub const HEALTH_CONFIG: Type = Type::Struct(&Struct {
    name: "v1.HealthcheckConfig",
    fields: &[
        maybe("Test", &TEXTS),
        maybe("Interval", &Type::Duration),
        maybe("Timeout", &Type::Duration),
        maybe("StartPeriod", &Type::Duration),
        maybe("StartInterval", &Type::Duration),
        maybe("Retries", &INT),
    ],
});

/// What the storage driver tells.
pub const DRIVER_DATA: Type =
    Type::Struct(&Struct { name: "storage.DriverData", fields: &[same("Data", &MAP), same("Name", &TEXT)] });

const ROOT_FS: Type =
    Type::Struct(&Struct { name: "image.RootFS", fields: &[maybe("Type", &TEXT), maybe("Layers", &TEXTS)] });

const METADATA: Type = Type::Struct(&Struct { name: "image.Metadata", fields: &[maybe("LastTagTime", &Type::Time)] });

/// A reference to content in a registry or store.
pub const DESCRIPTOR: Type = Type::Struct(&Struct {
    name: "v1.Descriptor",
    fields: &[
        named("MediaType", "mediaType", &TEXT),
        named("Digest", "digest", &Type::Named("digest.Digest")),
        named("Size", "size", &INT64),
        named("URLs", "urls", &TEXTS).omit_empty(),
        named("Annotations", "annotations", &MAP).omit_empty(),
        named("Data", "data", &TEXT).omit_empty(),
        named("Platform", "platform", &Type::Pointer(&PLATFORM)).omit_empty(),
        named("ArtifactType", "artifactType", &TEXT).omit_empty(),
    ],
});

/// A platform of the OCI image specification.
pub const PLATFORM: Type = Type::Struct(&Struct {
    name: "v1.Platform",
    fields: &[
        named("Architecture", "architecture", &TEXT),
        named("OS", "os", &TEXT),
        named("OSVersion", "os.version", &TEXT).omit_empty(),
        named("OSFeatures", "os.features", &TEXTS).omit_empty(),
        named("Variant", "variant", &TEXT).omit_empty(),
    ],
});

const MANIFEST: Type = Type::Struct(&Struct {
    name: "image.ManifestSummary",
    fields: &[
        same("ID", &TEXT),
        same("Descriptor", &DESCRIPTOR),
        same("Available", &BOOL),
        same("Size", &MANIFEST_SIZE),
        same("Kind", &Type::Named("image.ManifestKind")),
        maybe("ImageData", &Type::Pointer(&IMAGE_DATA)),
        maybe("AttestationData", &Type::Pointer(&ATTESTATION_DATA)),
    ],
});

const MANIFEST_SIZE: Type =
    Type::Struct(&Struct { name: "struct {}", fields: &[same("Content", &INT64), same("Total", &INT64)] });

const IMAGE_DATA: Type = Type::Struct(&Struct {
    name: "image.ImageProperties",
    fields: &[same("Platform", &PLATFORM), same("Size", &IMAGE_SIZE), same("Containers", &TEXTS)],
});

const IMAGE_SIZE: Type = Type::Struct(&Struct { name: "struct {}", fields: &[same("Unpacked", &INT64)] });

const ATTESTATION_DATA: Type = Type::Struct(&Struct {
    name: "image.AttestationProperties",
    fields: &[same("For", &Type::Named("digest.Digest"))],
});
