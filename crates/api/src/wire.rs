//! The shape which all wire structs share.

/// Declares structs whose every field may be absent or `null` on the wire, meaning the type's default value.
///
/// Go's decoder behaves like that, so clients rely on it. Unknown fields are ignored. What is *written* is decided field by
/// field: a field without `skip_serializing_if` is always there, as in Docker. A field that begins with `#[flatten]` lends
/// its own fields to the struct. (It must not go through `or_default`: serde reads a flattened option's error as `None`.)
macro_rules! wire {
    ($(
        $(#[$meta:meta])*
        pub struct $name:ident { $($fields:tt)* }
    )*) => {$(
        wire!(@field { $(#[$meta])* pub struct $name } [] $($fields)*);
    )*};

    (@field { $($head:tt)* } [ $($done:tt)* ]
        #[flatten] $(#[$meta:meta])* pub $field:ident : $kind:ty, $($rest:tt)*
    ) => {
        wire!(@field { $($head)* } [ $($done)* #[serde(flatten)] $(#[$meta])* pub $field: $kind, ] $($rest)*);
    };

    (@field { $($head:tt)* } [ $($done:tt)* ]
        $(#[$meta:meta])* pub $field:ident : $kind:ty, $($rest:tt)*
    ) => {
        wire!(@field { $($head)* } [
            $($done)* $(#[$meta])* #[serde(deserialize_with = "crate::lenient::or_default")] pub $field: $kind,
        ] $($rest)*);
    };

    (@field { $($head:tt)* } [ $($done:tt)* ]) => {
        #[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(default)]
        $($head)* { $($done)* }
    };
}

pub(crate) use wire;
