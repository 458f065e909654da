//! `system df -v`: each object.

use api::types::{ContainerSummary, DiskUsage, ImageSummary};

use crate::Failure;
use crate::output::human;
use crate::output::listing::{Column, Listing};
use crate::output::width;

const IMAGES: &str = "table {{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}\t{{.Containers}}";
const CONTAINERS: &str =
    "table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t{{.Status}}\t{{.Names}}";

pub fn render(usage: DiskUsage) -> Result<String, Failure> {
    let images = usage.image_usage.unwrap_or_default().items;
    let containers = usage.container_usage.unwrap_or_default().items;
    let images = IMAGE_LISTING.render(IMAGES, images.into_iter().flat_map(names))?;
    let containers = CONTAINER_LISTING.render(CONTAINERS, containers)?;
    let cache = human::size(usage.build_cache_usage.unwrap_or_default().total_size);
    Ok(format!(
        "Images space usage:\n\n{images}\nContainers space usage:\n\n{containers}\nLocal Volumes space usage:\n\n\
         VOLUME NAME   LINKS     SIZE\n\nBuild cache usage: {cache}\n\n\
         CACHE ID   CACHE TYPE   SIZE      CREATED   LAST USED   USAGE     SHARED\n"
    ))
}

/// An image under one of its names.
struct Named {
    image: ImageSummary,
    repository: String,
    tag: String,
}

fn names(image: ImageSummary) -> Vec<Named> {
    const NONE: &str = "<none>";
    let split = |name: &String| {
        let (repository, tag) = name.rsplit_once(':').unwrap_or((name, NONE));
        Named { image: image.clone(), repository: repository.into(), tag: tag.into() }
    };
    if image.repo_tags.is_empty() {
        return vec![Named { repository: NONE.into(), tag: NONE.into(), image }];
    }
    image.repo_tags.iter().map(split).collect()
}

static IMAGE_LISTING: Listing<Named> = Listing {
    type_name: "*formatter.imageContext",
    columns: &[
        Column { name: "Containers", caption: "CONTAINERS", value: |row| row.image.containers.to_string().into() },
        Column { name: "CreatedSince", caption: "CREATED", value: |row| human::ago(row.image.created).into() },
        Column { name: "ID", caption: "IMAGE ID", value: |row| human::short_id(&row.image.id).into() },
        Column { name: "Repository", caption: "REPOSITORY", value: |row| row.repository.as_str().into() },
        Column { name: "SharedSize", caption: "SHARED SIZE", value: |row| human::size(row.image.shared_size).into() },
        Column { name: "Size", caption: "SIZE", value: |row| human::size(row.image.size).into() },
        Column { name: "Tag", caption: "TAG", value: |row| row.tag.as_str().into() },
        Column {
            name: "UniqueSize",
            caption: "UNIQUE SIZE",
            value: |row| human::size(row.image.size - row.image.shared_size).into(),
        },
    ],
    label: None,
};

static CONTAINER_LISTING: Listing<ContainerSummary> = Listing {
    type_name: "*formatter.ContainerContext",
    columns: &[
        Column { name: "Command", caption: "COMMAND", value: |row| command(row).into() },
        Column { name: "ID", caption: "CONTAINER ID", value: |row| human::short_id(&row.id).into() },
        Column { name: "Image", caption: "IMAGE", value: |row| row.image.as_str().into() },
        Column { name: "LocalVolumes", caption: "LOCAL VOLUMES", value: |row| local_volumes(row).into() },
        Column { name: "Names", caption: "NAMES", value: |row| name(row).into() },
        Column { name: "RunningFor", caption: "CREATED", value: |row| human::ago(row.created).into() },
        Column { name: "Size", caption: "SIZE", value: |row| human::size(row.size_rw).into() },
        Column { name: "Status", caption: "STATUS", value: |row| row.status.as_str().into() },
    ],
    label: None,
};

fn command(row: &ContainerSummary) -> String {
    format!("\"{}\"", width::ellipsis(&row.command, 20))
}

fn local_volumes(row: &ContainerSummary) -> String {
    row.mounts.iter().filter(|mount| mount.kind == "volume" && mount.driver == "local").count().to_string()
}

fn name(row: &ContainerSummary) -> String {
    row.names.iter().flatten().next().map_or("", |name| name.trim_start_matches('/')).to_owned()
}
