//! `manifest inspect`.

use super::list::{List, pretty};
use super::store::{self, Item};
use super::{experimental, fetch, named};
use crate::command::{Args, Command};
use crate::flags::Flag;
use crate::{Failure, Invocation, Outcome, Session};

pub static COMMAND: Command = Command {
    spellings: &["manifest inspect"],
    usage: "[OPTIONS] [MANIFEST_LIST] MANIFEST",
    about: "Display an image manifest, or manifest list",
    long: experimental!("Display an image manifest, or manifest list", "inspect"),
    args: Args::Between(1, 2),
    flags: &[
        Flag::bool("insecure", "Allow communication with an insecure registry"),
        Flag::bool("verbose", "Output additional info including layers and platform").short('v'),
    ],
    run,
    ..Command::DEFAULT
};

fn run(session: &Session, call: &Invocation) -> Outcome {
    let verbose = call.is("verbose");
    if call.args.len() == 2 {
        let (list, manifest) = (named(call.arg(0))?, named(call.arg(1))?);
        let item = match store::find(session, &list, &manifest)? {
            Some(item) => item,
            None => one(fetch(session, &manifest, call.is("insecure"))?)?,
        };
        return print_one(session, &item, verbose);
    }
    let reference = named(call.arg(0))?;
    let local = store::read(session, &reference)?;
    if !local.is_empty() {
        return print_list(session, &local, verbose);
    }
    let items = fetch(session, &reference, call.is("insecure"))?;
    match items.as_slice() {
        [only] if only.reference == reference.to_string() => print_one(session, only, verbose),
        all => print_list(session, all, verbose),
    }
}

fn one(items: Vec<Item>) -> Result<Item, Failure> {
    items.into_iter().next().ok_or_else(|| Failure::new("the manifest list is empty"))
}

fn print_one(session: &Session, item: &Item, verbose: bool) -> Outcome {
    if verbose {
        session.println(pretty(&reparsed(item)?, b"\t")?);
    } else {
        let raw = String::from_utf8_lossy(&item.raw()?).into_owned();
        session.println(indented(&raw));
    }
    Ok(0)
}

fn print_list(session: &Session, items: &[Item], verbose: bool) -> Outcome {
    if verbose {
        let all = items.iter().map(reparsed).collect::<Result<Vec<_>, _>>()?;
        session.println(pretty(&all, b"\t")?);
    } else {
        session.println(List::of(items).to_json()?);
    }
    Ok(0)
}

/// Raw parts go out indented, too.
fn reparsed(item: &Item) -> Result<impl serde::Serialize + use<>, Failure> {
    #[derive(serde::Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Shown {
        #[serde(rename = "Ref")]
        reference: String,
        descriptor: store::Descriptor,
        raw: String,
        #[serde(rename = "SchemaV2Manifest", skip_serializing_if = "Option::is_none")]
        docker: Option<Ordered>,
        #[serde(rename = "OCIManifest", skip_serializing_if = "Option::is_none")]
        oci: Option<Ordered>,
    }
    let parse = |raw: &Option<Box<serde_json::value::RawValue>>| {
        let parse = |raw: &serde_json::value::RawValue| serde_json::from_str(raw.get());
        raw.as_deref().map(parse).transpose().map_err(|e: serde_json::Error| Failure::new(e.to_string()))
    };
    Ok(Shown {
        reference: item.reference.clone(),
        descriptor: item.descriptor.clone(),
        raw: item.raw.clone(),
        docker: parse(&item.docker)?,
        oci: parse(&item.oci)?,
    })
}

/// JSON whose fields stay in their order.
enum Ordered {
    Object(Vec<(String, Ordered)>),
    Array(Vec<Ordered>),
    Plain(serde_json::Value),
}

impl serde::Serialize for Ordered {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Object(fields) => serializer.collect_map(fields.iter().map(|(name, value)| (name, value))),
            Self::Array(items) => serializer.collect_seq(items),
            Self::Plain(value) => value.serialize(serializer),
        }
    }
}

impl<'de> serde::Deserialize<'de> for Ordered {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Ordered;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("JSON")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Ordered, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Ordered::Object(fields))
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Ordered, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Ordered::Array(items))
            }
            fn visit_bool<E>(self, value: bool) -> Result<Ordered, E> {
                Ok(Ordered::Plain(value.into()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Ordered, E> {
                Ok(Ordered::Plain(value.into()))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Ordered, E> {
                Ok(Ordered::Plain(value.into()))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Ordered, E> {
                Ok(Ordered::Plain(value.into()))
            }
            fn visit_str<E>(self, value: &str) -> Result<Ordered, E> {
                Ok(Ordered::Plain(value.into()))
            }
            fn visit_unit<E>(self) -> Result<Ordered, E> {
                Ok(Ordered::Plain(serde_json::Value::Null))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// The document as it is, indented anew.
fn indented(raw: &str) -> String {
    let parsed: Result<Ordered, _> = serde_json::from_str(raw);
    parsed.ok().and_then(|value| pretty(&value, b"\t").ok()).unwrap_or_else(|| raw.to_owned())
}
