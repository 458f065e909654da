//! What docker 28.2.2 said of each template in `templates.golden.json`, recorded from `docker volume inspect -f TEMPLATE`
//! over `data.json`.

use gotemplate::{Field, Struct, Template, Type, Value};

static VOLUME: Type = Type::Struct(&Struct {
    name: "volume.Volume",
    fields: &[
        Field::same("ClusterVolume", &Type::Pointer(&Type::Any)).omit_empty(),
        Field::same("CreatedAt", &Type::String).omit_empty(),
        Field::same("Driver", &Type::String),
        Field::same("Labels", &Type::LABELS),
        Field::same("Mountpoint", &Type::String),
        Field::same("Name", &Type::String),
        Field::same("Options", &Type::LABELS),
        Field::same("Scope", &Type::String),
        Field::same("Status", &Type::Map(&Type::Any)).omit_empty(),
        Field::same("UsageData", &Type::Pointer(&Type::Any)).omit_empty(),
    ],
});

fn render(template: &str, data: &serde_json::Value) -> Result<String, gotemplate::Error> {
    Template::parse("", template)?.render(&Value::typed(data, &VOLUME))
}

#[test]
fn templates_print_what_docker_prints() {
    let data = serde_json::from_str(include_str!("data.json")).unwrap();
    let cases: Vec<serde_json::Value> = serde_json::from_str(include_str!("templates.golden.json")).unwrap();
    let mut wrong = Vec::new();
    for case in &cases {
        let template = case["template"].as_str().unwrap();
        let got = render(template, &data).map_err(|error| error.to_string());
        let expected = match case["prints"].as_str() {
            Some(text) => Ok(text.to_owned()),
            None => Err(case["fails"].as_str().unwrap().to_owned()),
        };
        if got != expected {
            wrong.push(format!("{template}\n  docker: {expected:?}\n  ours:   {got:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

fn fails(template: &str, expected: &str) {
    let error = render(template, &serde_json::json!({"Name": "n"})).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn nesting_is_bounded() {
    fails(&format!("{{{{{}1{}}}}}", "(".repeat(100_000), ")".repeat(100_000)), "nested deeper than");
    fails(&"{{if .Name}}".repeat(100_000), "nested deeper than");
    fails(&format!("{{{{if .Name}}}}{}", "{{else if .Name}}".repeat(100_000)), "nested deeper than");
    fails(r#"{{define "t"}}{{template "t"}}{{end}}{{template "t"}}"#, "exceeded maximum template depth");
    let nested = format!("{}{{{{template \"t\"}}}}{}", "{{if true}}".repeat(150), "{{end}}".repeat(150));
    fails(&format!("{{{{define \"t\"}}}}{nested}{{{{end}}}}{{{{template \"t\"}}}}"), "exceeded maximum template depth");
}

/// Random heaps of words: whatever comes of them, it comes without a panic.
#[test]
fn no_template_panics() {
    const WORDS: &[&str] = &[
        "{{",
        "}}",
        "{{-",
        "-}}",
        " ",
        "(",
        ")",
        "|",
        ".",
        ".Name",
        ".Labels",
        ".Status",
        ".l",
        ".nul",
        "$",
        "$x",
        ":=",
        "=",
        ",",
        "if",
        "else",
        "end",
        "range",
        "with",
        "define",
        "template",
        "block",
        "break",
        "continue",
        "nil",
        "true",
        "0",
        "-1",
        "1.5",
        "0x",
        "'a'",
        "'",
        "\"s\"",
        "\"",
        "`",
        "index",
        "slice",
        "len",
        "printf",
        "\"%d %v %*s %[1]q\"",
        "eq",
        "lt",
        "and",
        "or",
        "not",
        "json",
        "split",
        "join",
        "title",
        "truncate",
        "pad",
        "html",
        "js",
        "urlquery",
        "print",
        "call",
        "/*",
        "*/",
        "é",
        "\n",
        "x",
    ];
    let data: serde_json::Value = serde_json::from_str(include_str!("data.json")).unwrap();
    let mut seed: u64 = 42;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (seed >> 33) as usize % below
    };
    for _ in 0..30_000 {
        let mut text = String::from("{{");
        (0..random(14)).for_each(|_| {
            text.push_str(WORDS[random(WORDS.len())]);
            if random(3) > 0 {
                text.push(' ');
            }
        });
        text.push_str("}}");
        let _ = render(&text, &data);
    }
}
