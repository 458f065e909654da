//! Small languages.

use gotemplate::{Functions, MissingKey, Template, Value};
use values::{Digest, Platform, Reference, Signal, Timestamp};

fn text(data: &[u8]) -> &str {
    std::str::from_utf8(data).unwrap_or_default()
}

/// What a reference prints is the same reference. Its familiar form is, too, where it does not look like one of another
/// registry (`docker.io/a.b/c`: `a.b/c`) or like an id: Docker prints these as well.
pub fn reference(data: &[u8]) {
    let Ok(parsed) = text(data).parse::<Reference>() else { return };
    let printed = parsed.to_string();
    assert_eq!(printed.parse::<Reference>().as_ref(), Ok(&parsed), "{printed}");
    let familiar = parsed.familiar();
    let name = parsed.familiar_name();
    let first = name.split_once('/').map_or("", |(first, _)| first);
    let misleads =
        parsed.domain == "docker.io" && (first.contains('.') || first == "localhost") || familiar.len() == 64;
    if !misleads {
        assert_eq!(familiar.parse::<Reference>().as_ref(), Ok(&parsed), "{familiar}");
    }
}

pub fn values(data: &[u8]) {
    let text = text(data);
    let _ = text.parse::<Digest>();
    let _ = text.parse::<Signal>();
    let _ = text.parse::<Timestamp>();
    let _ = Timestamp::from_unix_text(text);
    let _ = values::size::parse_binary(text);
    let _ = values::size::parse_decimal(text);
    if let Ok(nanos) = values::duration::parse_go(text) {
        let printed = values::duration::format_go(nanos);
        assert_eq!(values::duration::parse_go(&printed), Ok(nanos), "{printed}");
    }
    if let Ok(platform) = text.parse::<Platform>() {
        assert_eq!(platform.to_string().parse::<Platform>(), Ok(platform));
    }
}

/// `USER[:GROUP]`, a line, then a file which serves as both of passwd and group.
pub fn users(data: &[u8]) {
    let data = String::from_utf8_lossy(data);
    let (user, file) = data.split_once('\n').unwrap_or((&data, ""));
    let (user, group) = user.split_once(':').unwrap_or((user, ""));
    if let Ok(found) = runtime::user::find(user, group, file, file) {
        assert!(found.uid <= i32::MAX as u32 && found.gid <= i32::MAX as u32, "{found:?}");
        assert_eq!(found.additional_gids.first(), Some(&found.gid), "{found:?}");
    }
}

/// A template of one line, then the JSON it is rendered with.
pub fn template(data: &[u8]) {
    let data = text(data);
    let (template, json) = data.split_once('\n').unwrap_or((data, "{}"));
    let Ok(template) = Template::parse("", template) else { return };
    let json = serde_json::from_str(json).unwrap_or_default();
    for functions in [Functions::Docker, Functions::Header] {
        let _ = template.render_with(&Value::raw(&json), functions, MissingKey::Default);
    }
}

/// A byte of options, then a container's log, which the container's own daemon may have cut anywhere.
pub fn log(data: &[u8]) {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    }
    let Some((flags, text)) = data.split_first() else { return };
    let path = super::scratch().join("x-json.log");
    std::fs::write(&path, text).expect("write");
    let options = logging::Options {
        stdout: true,
        stderr: flags & 1 != 0,
        timestamps: flags & 2 != 0,
        details: flags & 4 != 0,
        framed: flags & 8 != 0,
        tail: (flags & 16 != 0).then_some(u64::from(flags >> 5)),
        ..logging::Options::default()
    };
    RUNTIME.with(|runtime| {
        runtime.block_on(async {
            let mut reader = logging::LogReader::open(&path, options).await.expect("open");
            while let Some(chunk) = reader.next_chunk().await {
                let _ = chunk;
            }
        });
    });
}

/// `WWW-Authenticate`: challenges that are written again with all values quoted are the same.
pub fn challenge(data: &[u8]) {
    let challenges = registry::fuzz_challenges(text(data));
    let quoted =
        |(name, value): (&String, &String)| format!("{name}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""));
    let write = |one: &registry::Challenge| {
        let parameters: Vec<String> = one.parameters.iter().map(quoted).collect();
        format!("{} {}", one.scheme, parameters.join(", "))
    };
    let written: Vec<String> = challenges.iter().map(write).collect();
    assert_eq!(registry::fuzz_challenges(&written.join(", ")), challenges, "{written:?}");
}
