//! The table of routes: one row for each endpoint. Method, path and first version are the endpoint's own.

use api::{Endpoint, endpoints};
use engine::Engine;

use crate::call::Call;
use crate::handlers;
use crate::router::Route;

/// Makes rows of `Endpoint => handler`.
macro_rules! routes {
    ($($endpoint:ident => $handler:ident,)*) => {
        &[$(
            Route {
                method: endpoints::$endpoint::METHOD,
                path: endpoints::$endpoint::PATH,
                since: endpoints::$endpoint::SINCE,
                handler: |call| Box::pin(handlers::$handler(Call::<Engine, endpoints::$endpoint>::new(call))),
            },
        )*]
    };
}

/// Literal paths come before patterns that would match them.
pub(crate) const ROUTES: &[Route<Engine>] = routes! {
    SystemPing => system_ping,
    SystemPingHead => system_ping_head,
    SystemVersion => system_version,
    SystemInfo => system_info,
    SystemEvents => system_events,
    SystemDf => system_df,
    SystemVerify => system_verify,
    ContainerList => container_list,
    ContainerCreate => container_create,
    ContainerInspect => container_inspect,
    ContainerPrune => container_prune,
    ContainerTop => container_top,
    ContainerLogs => container_logs,
    ContainerStart => container_start,
    ContainerStats => container_stats,
    ContainerStop => container_stop,
    ContainerRestart => container_restart,
    ContainerKill => container_kill,
    ContainerPause => container_pause,
    ContainerUnpause => container_unpause,
    ContainerUpdate => container_update,
    ContainerRename => container_rename,
    ContainerWait => container_wait,
    ContainerWhy => container_why,
    ContainerReach => container_reach,
    ContainerAttach => container_attach,
    ContainerAttachWs => container_attach_ws,
    ContainerResize => container_resize,
    ContainerRemove => container_remove,
    ContainerArchiveHead => container_archive_head,
    ContainerArchiveGet => container_archive_get,
    ContainerArchivePut => container_archive_put,
    ContainerChanges => container_changes,
    ContainerExport => container_export,
    ContainerCommit => container_commit,
    ExecCreate => exec_create,
    ExecStart => exec_start,
    ExecInspect => exec_inspect,
    ExecResize => exec_resize,
    ImageList => image_list,
    ImageCreate => image_create,
    ImageLoad => image_load,
    ImagePrune => image_prune,
    ImageSaveMany => image_save_many,
    ImageSave => image_save,
    ImageSearch => image_search,
    ImagePush => image_push,
    ImageInspect => image_inspect,
    ImageHistory => image_history,
    ImageTag => image_tag,
    ImageRemove => image_remove,
    DistributionInspect => distribution_inspect,
    DistributionManifest => distribution_manifest,
    DistributionPut => distribution_put,
    RegistryAuth => registry_auth,
    NetworkList => network_list,
    NetworkCreate => network_create,
    NetworkPrune => network_prune,
    NetworkDoctor => network_doctor,
    NetworkInspect => network_inspect,
    NetworkRemove => network_remove,
    NetworkConnect => network_connect,
    NetworkDisconnect => network_disconnect,
    VolumeList => volume_list,
    VolumeCreate => volume_create,
    VolumePrune => volume_prune,
    VolumeInspect => volume_inspect,
    VolumeRemove => volume_remove,
    BuildPrune => build_prune,
};
