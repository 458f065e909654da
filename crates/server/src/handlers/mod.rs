//! The handlers, one endpoint a file. A handler reads the request, asks the engine and shapes the answer; it decides nothing.

macro_rules! handlers {
    ($($name:ident)*) => {$(
        mod $name;
        pub(crate) use $name::$name;
    )*};
}

handlers! {
    container_archive_get container_archive_head container_archive_put container_attach container_attach_ws
    container_changes container_commit container_create container_export container_inspect container_kill
    container_list container_logs container_pause container_prune container_reach container_remove container_rename container_resize
    container_restart container_start container_stats container_stop container_top container_unpause container_update
    container_wait container_why distribution_inspect distribution_manifest distribution_put exec_create exec_inspect
    exec_resize exec_start image_create image_history image_inspect image_list image_load image_prune image_push
    image_remove image_save image_save_many image_search image_tag network_connect network_create network_disconnect network_doctor
    network_inspect network_list network_prune network_remove registry_auth system_df system_events system_info
    system_ping system_ping_head system_verify system_version
    build_prune volume_create volume_inspect volume_list volume_prune volume_remove
}

mod attached;
mod path_stat;
mod progress;
mod registry_credentials;

use values::{Error, Result, Timestamp};

/// A parameter of the query, or nothing when it is empty.
fn given(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// A moment of the query: `SECONDS[.NANOS]`, or nothing when it is empty.
fn moment(text: &str) -> Result<Option<Timestamp>> {
    given(text)
        .map(|text| {
            Timestamp::from_unix_text(text).ok_or_else(|| Error::invalid(format!("invalid timestamp {text:?}")))
        })
        .transpose()
}

/// A dimension of a terminal, from the raw query: what is wrong with it is told by its name.
fn cells(query: &[(String, String)], key: &str, name: &str) -> Result<u16> {
    let text = query.iter().find(|(k, _)| k == key).map_or("", |(_, value)| value.as_str());
    text.parse().map_err(|e: std::num::ParseIntError| {
        let why = if matches!(e.kind(), std::num::IntErrorKind::PosOverflow) {
            "value out of range"
        } else {
            "invalid syntax"
        };
        Error::invalid(format!("invalid resize {name} {text:?}: {why}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        let check = |text: &str, expected: Option<(i64, u32)>| {
            assert_eq!(moment(text).expect(text).map(|t| (t.secs, t.nanos)), expected, "{text}");
        };
        check("", None);
        check("0", Some((0, 0)));
        check("1700000000", Some((1_700_000_000, 0)));
        check("1700000000.5", Some((1_700_000_000, 500_000_000)));
        check("1700000000.000000001", Some((1_700_000_000, 1)));
        assert!(moment("zz").is_err());
    }

    #[test]
    fn dimensions() {
        let height = |raw: &str| cells(&api::query::pairs(raw).expect(raw), "h", "height").map_err(|e| e.message);
        assert_eq!(height("w=80&h=24"), Ok(24));
        assert_eq!(height("w=80"), Err("invalid resize height \"\": invalid syntax".to_owned()));
        assert_eq!(height("h=x"), Err("invalid resize height \"x\": invalid syntax".to_owned()));
        assert_eq!(height("h=70000"), Err("invalid resize height \"70000\": value out of range".to_owned()));
    }
}
