//! `system df -v`: each object, in tables or by a template over all of them.

use std::rc::Rc;

use api::types::{ContainerSummary, DiskUsage, ImageSummary, Kept, Volume};
use gotemplate::{Functions, List, Object, Template, Type, Value};

use crate::Failure;
use crate::commands::{container, image, volume};
use crate::output::human;
use crate::output::listing::{Column, Listing, unescaped};

const IMAGES: &str = "table {{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}\t{{.Containers}}";
const CONTAINERS: &str =
    "table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t{{.Status}}\t{{.Names}}";
const VOLUMES: &str = "table {{.Name}}\t{{.Links}}\t{{.Size}}";
const KEPT: &str = "table {{.Kind}}\t{{.Name}}\t{{.Size}}\t{{.Why}}";

/// Text, and what is wrong with the template where it went no further.
///
/// # Errors
/// A template that is none.
pub fn render(usage: DiskUsage, format: &str) -> Result<(String, Option<Failure>), Failure> {
    let is_table = format.starts_with("table");
    let text = match format {
        "table" => return table(usage).map(|text| (text, None)),
        "json" => "{{json .}}".into(),
        "raw" => raw(),
        other => unescaped(other.strip_prefix("table").unwrap_or(other)),
    };
    let template = Template::parse("", &text).map_err(|e| Failure::new(format!("template parsing error: {e}")))?;
    let (text, done) = template.render_partly(&Value::Object(Rc::new(All::of(usage, is_table))), Functions::Docker);
    Ok((text, done.err().map(|e| Failure::new(e.to_string()))))
}

fn table(usage: DiskUsage) -> Result<String, Failure> {
    let cache = human::size(usage.build_cache_usage.as_ref().map_or(0, |usage| usage.total_size));
    let mut usage = usage;
    let kept = match usage.kept.take() {
        Some(kept) => format!("\nWhat it is kept for:\n\n{}", KEPT_LISTING.render(KEPT, kept)?),
        None => String::new(),
    };
    let (images, containers, volumes) = items(usage);
    let images =
        image::ls::LISTING.render(IMAGES, images.into_iter().map(|image| image::ls::Row::first(image, true)))?;
    let containers = containers.into_iter().map(|container| container::ls::Row::new(container, true));
    let containers = container::ls::LISTING.render(CONTAINERS, containers)?;
    let volumes = volume::ls::LISTING.render(VOLUMES, volumes)?;
    Ok(format!(
        "Images space usage:\n\n{images}\nContainers space usage:\n\n{containers}\nLocal Volumes space usage:\n\n{volumes}\n\
         Build cache usage: {cache}\n\nCACHE ID   CACHE TYPE   SIZE      CREATED   LAST USED   USAGE     SHARED\n{kept}"
    ))
}

static KEPT_LISTING: Listing<Kept> = Listing {
    type_name: "*formatter.keptContext",
    columns: &[
        Column { name: "Kind", caption: "KIND", value: |kept| kept.kind.as_str().into() },
        Column { name: "Name", caption: "NAME", value: |kept| kept.name.as_str().into() },
        Column { name: "Size", caption: "SIZE", value: |kept| human::size(kept.size).into() },
        Column { name: "Why", caption: "WHY", value: |kept| kept.why.as_str().into() },
    ],
    label: None,
};

/// What is shown of each; the virtual size of containers is not.
fn items(usage: DiskUsage) -> (Vec<ImageSummary>, Vec<ContainerSummary>, Vec<Volume>) {
    let mut containers = usage.container_usage.unwrap_or_default().items;
    containers.iter_mut().for_each(|container| container.size_rootfs = 0);
    (usage.image_usage.unwrap_or_default().items, containers, usage.volume_usage.unwrap_or_default().items)
}

fn raw() -> String {
    let (image, container, volume) = (image::ls::raw(true), container::ls::raw(true), volume::ls::RAW);
    format!(
        "{{{{range .Images}}}}type: Image\n{image}\n{{{{end}}}}{{{{range .Containers}}}}type: Container\n{container}\n\
         {{{{end}}}}{{{{range .Volumes}}}}type: Volume\n{volume}\n{{{{end}}}}"
    )
}

/// What templates see.
struct All {
    images: Value,
    containers: Value,
    volumes: Value,
    /// Of our daemons alone.
    kept: Option<Value>,
}

impl All {
    fn of(mut usage: DiskUsage, trunc: bool) -> Self {
        let kept = usage.kept.take().map(|kept| list(kept.into_iter().map(|one| KEPT_LISTING.value(one))));
        let (images, containers, volumes) = items(usage);
        let image = |image| image::ls::LISTING.value(image::ls::Row::first(image, trunc));
        let container = |container| container::ls::LISTING.value(container::ls::Row::new(container, trunc));
        Self {
            images: list(images.into_iter().map(image)),
            containers: list(containers.into_iter().map(container)),
            volumes: list(volumes.into_iter().map(|volume| volume::ls::LISTING.value(volume))),
            kept,
        }
    }
}

fn list(items: impl Iterator<Item = Value>) -> Value {
    Value::List(List { items: Some(items.collect()), item: &Type::Any })
}

impl Object for All {
    fn type_name(&self) -> &str {
        "*formatter.diskUsageContext"
    }

    fn arity(&self, name: &str) -> Option<usize> {
        let known = matches!(name, "Images" | "Containers" | "Volumes" | "BuildCache");
        (known || name == "Kept" && self.kept.is_some()).then_some(0)
    }

    fn call(&self, name: &str, _args: &[Value]) -> Result<Value, String> {
        Ok(match name {
            "Images" => self.images.clone(),
            "Containers" => self.containers.clone(),
            "Volumes" => self.volumes.clone(),
            "Kept" => self.kept.clone().unwrap_or(Value::Missing),
            // no daemon of ours has one, and others' is not read
            _ => list(std::iter::empty()),
        })
    }

    fn json(&self) -> Vec<(String, Value)> {
        let field = |name: &str, value: &Value| (name.to_owned(), value.clone());
        // that of ours is not among them: programs compare what they get with Docker's
        vec![
            field("Images", &self.images),
            field("Containers", &self.containers),
            field("Volumes", &self.volumes),
            field("BuildCache", &list(std::iter::empty())),
        ]
    }
}
