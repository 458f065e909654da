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
