//! Names of firms, clients and people: they go into the subjects of mails to strangers, so they
//! show what they are and lead nowhere.

use unicode_normalization::UnicodeNormalization;

use crate::problem::{Problem, Result};

/// 422 when a name has control characters or nothing visible; bidirectional controls are
/// refused, because they make one name look like another (UTS 39), and addresses of the web or of
/// mail, because mail programs make links of them.
///
/// A bare domain is a good name: there are firms called booking.com. A scheme, `www.`, or a
/// domain with a port, a path, a query or an `@` before it is an address.
pub fn check_name(name: &str, pointer: &str) -> Result<()> {
    let forbidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
    };
    if name.trim().is_empty() {
        return Err(Problem::invalid(pointer, "must not be empty"));
    }
    if name.trim() != name || name.chars().any(forbidden) {
        return Err(Problem::invalid(
            pointer,
            "must not have control characters, or white space at its ends",
        ));
    }
    if holds_address(name) {
        return Err(Problem::invalid(
            pointer,
            "must not have an address of the web or of mail in it; a domain such as example.org \
             alone may be part of a name",
        ));
    }
    Ok(())
}

/// Whether mail programs would make a link of a part of it, in whatever width it is written.
fn holds_address(name: &str) -> bool {
    let plain: String = name
        .nfkc()
        .map(|c| if c == '。' { '.' } else { c })
        .collect();
    let plain = plain.to_lowercase();
    plain.contains("://")
        || plain
            .split(|c: char| c.is_whitespace() || "()[]<>{}\"',;|".contains(c))
            .any(is_address)
}

fn is_address(word: &str) -> bool {
    if word.starts_with("www.") || word.starts_with("mailto:") {
        return true;
    }
    if let Some((_, host)) = word.rsplit_once('@') {
        return is_domain(host);
    }
    let end = word.find(['/', '?', '#', ':', '\\']);
    end.and_then(|end| word.split_at_checked(end))
        .is_some_and(|(host, rest)| rest.len() > 1 && (is_domain(host) || is_ipv4(host)))
}

/// Whether it could stand in the DNS: labels, the last one of at least two letters.
fn is_domain(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let Some((rest, last)) = host.rsplit_once('.') else {
        return false;
    };
    let label = |label: &str| {
        !label.is_empty()
            && label
                .chars()
                .all(|c| c.is_alphanumeric() || c == '-' || c == '_')
    };
    let is_top = last.starts_with("xn--") || last.chars().all(char::is_alphabetic);
    last.chars().count() > 1 && is_top && rest.split('.').all(label)
}

fn is_ipv4(host: &str) -> bool {
    host.parse::<std::net::Ipv4Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_show_what_they_are() {
        assert!(check_name("Ana Gómez", "/name").is_ok());
        for bad in ["", "  ", "Ana\n", "An\u{202e}a", " Ana"] {
            assert!(check_name(bad, "/name").is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_of_people_and_firms_are_no_addresses() {
        for good in [
            "A.B. Smith",
            "Müller & Co.",
            "booking.com B.V.",
            "Booking.com",
            "24/7 Care",
            "Smith/Jones LLP",
            "S.p.A./AG Verwaltung",
            "Dr. h.c. Ana Gómez, M.Sc.",
            "Yahoo! (a.k.a. Y)",
            "@Home Care",
            "Re: Design",
            "AT&T / BT",
            "Studio:Nord",
            "株式会社アイ",
        ] {
            assert!(check_name(good, "/name").is_ok(), "{good}");
        }
    }

    #[test]
    fn names_lead_nowhere() {
        for bad in [
            "You have won: https://evil.example/win",
            "Visit HTTP://evil.example",
            "ftp://x",
            "Pay now at www.evil.example",
            "(www.evil.example)",
            "evil.example/win your prize",
            "Go to evil.example:8080 now",
            "evil.example?id=7",
            "evil.example#x",
            "10.0.0.1/login",
            "Write to help@evil.example",
            "mailto:help@evil.example",
            "ｗｗｗ．evil．example",
            "evil。example/win",
            "пример.рф/вход",
        ] {
            let refused = check_name(bad, "/name").unwrap_err();
            assert_eq!(refused.errors[0].pointer, "/name", "{bad}");
        }
    }
}
