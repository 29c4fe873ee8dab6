//! Every method of the Directory, with accounts in all their states. The client checks each answer.

use super::Person;
use crate::client::{DIRECTORY, Fake, encode, text};
use serde_json::json;

const USERS: &str = "/admin/directory/v1/users";

#[tokio::test]
async fn every_method_of_the_directory_answers_as_described() {
    let fake = Fake::with(|options| {
        options.users = 8;
        options.suspended = 1;
    })
    .await;
    let admin = Person::with(&fake, 0, DIRECTORY).await;
    let users = fake.server.users();
    fake.admin(
        "alias.add",
        json!({ "user": users[1], "alias": format!("x-{}", users[1]) }),
    );
    fake.admin("user.archive", json!({ "user": users[2] }));
    fake.admin(
        "user.mailbox",
        json!({ "user": users[3], "enabled": false }),
    );
    fake.admin("user.delete", json!({ "user": users[4] }));
    let list = format!("{USERS}?customer=my_customer");
    admin.get(&list).await;
    admin.get(&format!("{list}&showDeleted=true")).await;
    admin.get(&format!("{list}&query=isSuspended=true")).await;
    admin.get(&format!("{list}&query=email:nobody")).await;
    for projection in ["basic", "custom", "full"] {
        admin
            .get(&format!(
                "{list}&projection={projection}&viewType=admin_view"
            ))
            .await;
    }
    for user in fake.server.users() {
        admin
            .get(&format!("{USERS}/{user}?fields=id,name/fullName"))
            .await;
        let user = admin.get(&format!("{USERS}/{user}")).await;
        admin.get(&format!("{USERS}/{}", text(&user["id"]))).await;
    }
    fake.seen.assert_complete("directory");
}

#[tokio::test]
async fn users_come_in_the_order_that_is_asked_for_over_all_pages() {
    let fake = Fake::with(|options| options.users = 12).await;
    let admin = Person::with(&fake, 0, DIRECTORY).await;
    let pages = async |order: &str, size: usize| {
        let mut found = Vec::new();
        let mut token = String::new();
        loop {
            let path = format!("{USERS}?customer=my_customer&maxResults={size}{order}{token}");
            let page = admin.get(&path).await;
            let users = page["users"].as_array().cloned().unwrap_or_default();
            found.extend(users);
            match page["nextPageToken"].as_str() {
                Some(next) => token = format!("&pageToken={}", encode(next)),
                None => return found,
            }
        }
    };
    for (order, place) in [
        ("", "/primaryEmail"),
        ("&orderBy=email", "/primaryEmail"),
        ("&orderBy=givenName", "/name/givenName"),
        ("&orderBy=familyName", "/name/familyName"),
    ] {
        for (direction, is_descending) in [
            ("", false),
            ("&sortOrder=ASCENDING", false),
            ("&sortOrder=DESCENDING", !order.is_empty()),
        ] {
            let found = pages(&format!("{order}{direction}"), 5).await;
            assert_eq!(found.len(), 12);
            let names: Vec<String> = found
                .iter()
                .map(|user| text(user.pointer(place).expect("a name")))
                .collect();
            let mut sorted = names.clone();
            sorted.sort();
            if is_descending {
                sorted.reverse();
            }
            assert_eq!(names, sorted, "{order}{direction}");
            assert_eq!(found, pages(&format!("{order}{direction}"), 500).await);
        }
    }
    for bad in [
        "orderBy=age",
        "sortOrder=down",
        "projection=all",
        "viewType=mine",
    ] {
        let answer = admin
            .call(
                "GET",
                &format!("{USERS}?customer=my_customer&{bad}"),
                "",
                b"",
            )
            .await;
        assert_eq!(answer.status, 400, "{bad}");
    }
    // A fault's empty page leads to the first one, in any order.
    fake.admin(
        "fault.on",
        json!({ "body": "empty_page", "method": "directory.users.list", "count": 2 }),
    );
    for order in ["", "&orderBy=givenName&sortOrder=DESCENDING"] {
        assert_eq!(pages(order, 5).await.len(), 12, "{order}");
    }
    assert_eq!(fake.admin("stats", json!({}))["faults"], 2);
}
