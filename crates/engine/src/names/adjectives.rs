/// What a container may be like, in order.
#[rustfmt::skip]
pub(super) const ADJECTIVES: [&str; 128] = [
    "agile", "amber", "ample", "ardent", "astute", "balanced", "beaming", "blissful", "bold", "boring", "brave",
    "breezy", "bright", "brisk", "buoyant", "calm", "candid", "careful", "cheerful", "clever", "composed", "cordial",
    "cosmic", "crafty", "crisp", "curious", "dapper", "daring", "deft", "diligent", "dreamy", "eager", "earnest",
    "easygoing", "elated", "elegant", "eloquent", "fair", "faithful", "fearless", "festive", "fluent", "fond",
    "frank", "friendly", "frugal", "gallant", "generous", "gentle", "gifted", "glad", "gleaming", "graceful",
    "grateful", "handy", "happy", "hardy", "hearty", "honest", "hopeful", "humble", "inventive", "jaunty", "jolly",
    "jovial", "joyful", "keen", "kind", "lively", "logical", "loyal", "lucid", "lucky", "mellow", "merry", "mindful",
    "modest", "neat", "nifty", "nimble", "noble", "observant", "open", "patient", "peaceful", "playful", "plucky",
    "polite", "precise", "prudent", "quick", "quiet", "radiant", "rapid", "ready", "relaxed", "resolute", "robust",
    "rustic", "serene", "sharp", "shining", "sincere", "smooth", "snug", "sober", "sparkling", "spirited", "steady",
    "sturdy", "sunny", "swift", "tactful", "tender", "thoughtful", "tidy", "tranquil", "trusty", "upbeat", "valiant",
    "vibrant", "vigilant", "vivid", "warm", "wise", "witty", "zealous", "zesty",
];
