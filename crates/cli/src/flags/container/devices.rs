//! Devices of the host.

use std::collections::BTreeMap;

use api::types::{DeviceMapping, DeviceRequest};

use super::Draft;
use crate::Invocation;
use crate::command::Complete;
use crate::failure::Failure;
use crate::flags::Flag;
use crate::flags::parse::split_csv;

/// The rows.
pub static FLAGS: &[Flag] = &[
    Flag::list("device", "Add a host device to the container").completes(Complete::Files),
    Flag::list("device-cgroup-rule", "Add a rule to the cgroup allowed devices list").checked(cgroup_rule),
    Flag::list("gpus", "GPU devices to add to the container ('all' to pass all GPUs)")
        .typed("gpu-request")
        .checked(gpus),
];

/// Puts them into the request.
///
/// # Errors
/// Docker's sentence for a device it would refuse.
pub fn translate(call: &Invocation, draft: &mut Draft) -> Result<(), Failure> {
    let mut requests: Vec<DeviceRequest> = call.all("gpus").filter_map(|text| parse_gpus(text).ok()).collect();
    let mut mappings = Vec::new();
    let mut by_name = Vec::new();
    for device in call.all("device") {
        if is_cdi_name(device) {
            by_name.push(device.to_owned());
        } else {
            mappings.push(mapping(device).map_err(Failure::new)?);
        }
    }
    if !by_name.is_empty() {
        requests.push(DeviceRequest { driver: "cdi".into(), device_ids: Some(by_name), ..Default::default() });
    }
    let resources = &mut draft.host.resources;
    resources.devices = Some(mappings);
    resources.device_requests = Some(requests).filter(|requests| !requests.is_empty());
    resources.device_cgroup_rules = Some(super::list(call, "device-cgroup-rule")).filter(|rules| !rules.is_empty());
    Ok(())
}

/// `VENDOR/CLASS=NAME`, the Container Device Interface's qualified name.
fn is_cdi_name(text: &str) -> bool {
    let Some((kind, name)) = text.split_once('=') else { return false };
    let Some((vendor, class)) = kind.split_once('/') else { return false };
    let word = |text: &str, more: &str| {
        let inner = |c: char| c.is_ascii_alphanumeric() || more.contains(c);
        text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.ends_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(inner)
    };
    let named = name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.ends_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.:".contains(c));
    word(vendor, "_-.") && word(class, "_-") && named
}

/// Any of `r`, `w`, `m`, each once.
fn is_mode(text: &str) -> bool {
    let once = |c: char| text.matches(c).count() <= 1;
    !text.is_empty() && text.chars().all(|c| "rwm".contains(c)) && "rwm".chars().all(once)
}

/// `HOST[:CONTAINER][:MODE]`
fn mapping(text: &str) -> Result<DeviceMapping, String> {
    let bad_format = || format!("bad format for path: {text}");
    let parts: Vec<&str> = text.split(':').collect();
    if parts[0].is_empty() || parts.len() > 3 {
        return Err(bad_format());
    }
    let (inside, mode) = match parts.as_slice() {
        [host] => (*host, "rwm"),
        [host, mode] if is_mode(mode) => (*host, *mode),
        [_, inside] => (*inside, "rwm"),
        [_, inside, mode] if is_mode(mode) => (*inside, *mode),
        [_, _, mode] => return Err(format!("bad mode specified: {mode}")),
        _ => return Err(bad_format()),
    };
    if !inside.starts_with('/') {
        return Err(format!("{inside} is not an absolute path"));
    }
    let host = if parts.len() == 3 || (parts.len() == 2 && !is_mode(parts[1])) {
        parts[0].to_owned()
    } else {
        super::clean_path(parts[0])
    };
    // the two-part forms are cleaned by the client, the full one is passed on as written
    let inside = if parts.len() == 3 { inside.to_owned() } else { super::clean_path(inside) };
    Ok(DeviceMapping { path_on_host: host, path_in_container: inside, cgroup_permissions: mode.to_owned() })
}

/// `TYPE MAJOR:MINOR MODE`, numbers or `*`.
fn cgroup_rule(text: &str) -> Result<(), String> {
    let number = |text: &str| text == "*" || (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
    let good = match text.split(' ').collect::<Vec<_>>().as_slice() {
        [kind, numbers, mode] => {
            matches!(*kind, "a" | "b" | "c")
                && numbers.split_once(':').is_some_and(|(major, minor)| number(major) && number(minor))
                && (1..=3).contains(&mode.len())
                && mode.chars().all(|c| "rwm".contains(c))
        }
        _ => false,
    };
    if good { Ok(()) } else { Err(format!("invalid device cgroup format '{text}'")) }
}

fn gpus(text: &str) -> Result<(), String> {
    parse_gpus(text).map(drop)
}

/// `all`, `2`, or `driver=…,count=…,"device=0,1",capabilities=…,options=…`.
fn parse_gpus(text: &str) -> Result<DeviceRequest, String> {
    let mut request = DeviceRequest::default();
    let mut seen: Vec<String> = Vec::new();
    for field in split_csv(text)? {
        let key = field.split('=').next().unwrap_or_default();
        if seen.iter().any(|other| other == key) {
            return Err(format!("gpu request key '{key}' can be specified only once"));
        }
        seen.push(key.to_owned());
        let Some((key, value)) = field.split_once('=') else {
            seen.push("count".into());
            request.count = gpu_count(&field)?;
            continue;
        };
        let list = || value.split(',').map(str::to_owned).collect::<Vec<String>>();
        match key {
            "driver" => request.driver = value.to_owned(),
            "count" => request.count = gpu_count(value)?,
            "device" => request.device_ids = Some(list()),
            "capabilities" => request.capabilities = Some(vec![[list(), vec!["gpu".to_owned()]].concat()]),
            "options" => {
                let fields = split_csv(value).map_err(|error| format!("failed to read gpu options: {error}"))?;
                request.options = Some(crate::flags::pairs::to_map(fields));
            }
            _ => return Err(format!("unexpected key '{key}' in '{field}'")),
        }
    }
    if !seen.iter().any(|key| key == "count") && request.device_ids.is_none() {
        request.count = 1;
    }
    request.options.get_or_insert_with(BTreeMap::new);
    request.capabilities.get_or_insert_with(|| vec![vec!["gpu".to_owned()]]);
    Ok(request)
}

fn gpu_count(text: &str) -> Result<i64, String> {
    if text == "all" {
        return Ok(-1);
    }
    text.parse()
        .map_err(|_| format!("invalid count ({text}): value must be either \"all\" or an integer: invalid syntax"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<(&str, &str, &str), &str>) {
        let got = mapping(text).map(|m| (m.path_on_host, m.path_in_container, m.cgroup_permissions));
        let expected = expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned())).map_err(str::to_owned);
        assert_eq!(got, expected, "{text}");
    }

    #[test]
    fn mappings() {
        check("/dev/null", Ok(("/dev/null", "/dev/null", "rwm")));
        check("/dev/null:/dev/x", Ok(("/dev/null", "/dev/x", "rwm")));
        check("/dev/null:r", Ok(("/dev/null", "/dev/null", "r")));
        check("/dev/null:/x:rw", Ok(("/dev/null", "/x", "rw")));
        check("/dev/null:/x:q", Err("bad mode specified: q"));
        check("null", Err("null is not an absolute path"));
        check("", Err("bad format for path: "));
        check("/a:/b:r:w", Err("bad format for path: /a:/b:r:w"));
    }

    #[test]
    fn names_and_rules() {
        assert!(is_cdi_name("vendor.com/class=dev0"));
        assert!(!is_cdi_name("/dev/null"));
        assert!(cgroup_rule("c 1:* rwm").is_ok());
        assert!(cgroup_rule("c 1:3").is_err());
        assert_eq!(parse_gpus("all").unwrap().count, -1);
        assert_eq!(parse_gpus("\"device=0,1\"").unwrap().device_ids, Some(vec!["0".into(), "1".into()]));
        assert!(parse_gpus("2,count=1").is_err());
    }
}
