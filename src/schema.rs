//! The tables, as diesel sees them: generated from the database by `make schema`, never edited.

diesel::table! {
    chains (tenant_id) {
        tenant_id -> Uuid,
        seq -> Int8,
        hash -> Bytea,
        last_event_at -> Timestamptz,
        last_act_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    comments (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        record_id -> Uuid,
        text -> Text,
        created_at -> Timestamptz,
        created_by -> Uuid,
    }
}

diesel::table! {
    consultancies (id) {
        id -> Uuid,
        name -> Text,
        version -> Int4,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    consultancy_members (consultancy_id, user_id) {
        consultancy_id -> Uuid,
        user_id -> Uuid,
        role -> Text,
        created_at -> Timestamptz,
        ended_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    counters (tenant_id, kind) {
        tenant_id -> Uuid,
        kind -> Text,
        last -> Int4,
    }
}

diesel::table! {
    deadlines (tenant_id, record_id, name) {
        tenant_id -> Uuid,
        record_id -> Uuid,
        name -> Text,
        due_on -> Date,
        set_on -> Date,
        person_id -> Nullable<Uuid>,
        roles -> Array<Text>,
        due_at -> Nullable<Timestamptz>,
        warn -> Nullable<Array<Int4>>,
        escalate_after -> Nullable<Int4>,
        escalate_to -> Array<Text>,
        remind_from -> Date,
        remind_until -> Date,
    }
}

diesel::table! {
    engagements (id) {
        id -> Uuid,
        consultancy_id -> Uuid,
        tenant_id -> Uuid,
        service -> Text,
        starts_on -> Date,
        ends_on -> Nullable<Date>,
        ended_at -> Nullable<Timestamptz>,
        ended_by -> Nullable<Uuid>,
        version -> Int4,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    events (tenant_id, seq) {
        tenant_id -> Uuid,
        seq -> Int8,
        at -> Timestamptz,
        actor_id -> Nullable<Uuid>,
        action -> Text,
        subject_kind -> Text,
        subject_id -> Uuid,
        request_id -> Nullable<Text>,
        data -> Text,
        prev_hash -> Bytea,
        hash -> Bytea,
    }
}

diesel::table! {
    idempotency_keys (tenant_id, caller_id, route, key) {
        tenant_id -> Uuid,
        caller_id -> Uuid,
        route -> Text,
        key -> Text,
        request_hash -> Bytea,
        status -> Nullable<Int4>,
        headers -> Nullable<Text>,
        body -> Nullable<Text>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    invitations (id) {
        id -> Uuid,
        token_hash -> Bytea,
        email -> Text,
        consultancy_id -> Nullable<Uuid>,
        tenant_id -> Nullable<Uuid>,
        roles -> Array<Text>,
        valid_until -> Nullable<Date>,
        invited_by -> Uuid,
        expires_at -> Timestamptz,
        accepted_at -> Nullable<Timestamptz>,
        revoked_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        revoked_because -> Nullable<Text>,
    }
}

diesel::table! {
    kind_statuses (kind, status) {
        kind -> Text,
        status -> Text,
    }
}

diesel::table! {
    links (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        from_id -> Uuid,
        relation -> Text,
        field -> Nullable<Text>,
        to_id -> Nullable<Uuid>,
        to_kind -> Nullable<Text>,
        to_version -> Nullable<Int4>,
        person_id -> Nullable<Uuid>,
        catalog -> Nullable<Text>,
        unit -> Nullable<Text>,
        created_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        from_kind -> Text,
        catalog_version -> Nullable<Int4>,
    }
}

diesel::table! {
    memberships (id) {
        id -> Uuid,
        tenant_id -> Uuid,
        user_id -> Uuid,
        engagement_id -> Nullable<Uuid>,
        roles -> Array<Text>,
        valid_from -> Date,
        valid_until -> Nullable<Date>,
        ended_at -> Nullable<Timestamptz>,
        version -> Int4,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    outbox (id) {
        id -> Uuid,
        tenant_id -> Nullable<Uuid>,
        reminder_id -> Nullable<Uuid>,
        message_id -> Text,
        recipient -> Text,
        recipient_name -> Nullable<Text>,
        subject -> Text,
        body_text -> Text,
        body_html -> Text,
        state -> Text,
        send_after -> Timestamptz,
        leased_until -> Nullable<Timestamptz>,
        attempts -> Int4,
        last_error -> Nullable<Text>,
        created_at -> Timestamptz,
        finished_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    people (tenant_id, user_id) {
        tenant_id -> Uuid,
        user_id -> Uuid,
    }
}

diesel::table! {
    records (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        kind -> Text,
        ref_no -> Int4,
        #[sql_name = "ref"]
        ref_ -> Text,
        title -> Text,
        status -> Text,
        version -> Int4,
        owner_id -> Nullable<Uuid>,
        next_review_on -> Nullable<Date>,
        created_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_at -> Timestamptz,
        updated_by -> Nullable<Uuid>,
        archived_at -> Nullable<Timestamptz>,
        body -> Jsonb,
        authors -> Array<Uuid>,
        in_force -> Nullable<Int4>,
        approved_by -> Nullable<Uuid>,
        approved_on -> Nullable<Date>,
        audience -> Text,
        audience_roles -> Array<Text>,
        audience_people -> Array<Uuid>,
        facet_1 -> Nullable<Text>,
        facet_2 -> Nullable<Text>,
        facet_3 -> Nullable<Text>,
        facet_4 -> Nullable<Text>,
        sort_1 -> Nullable<Int8>,
        sort_2 -> Nullable<Int8>,
        sort_3 -> Nullable<Int8>,
        words -> Text,
    }
}

diesel::table! {
    reminders (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        record_id -> Uuid,
        deadline -> Text,
        due_on -> Date,
        lead_days -> Int4,
        recipient_id -> Uuid,
        channel -> Text,
        state -> Text,
        reason -> Nullable<Text>,
        send_at -> Timestamptz,
        finished_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        due_at -> Nullable<Timestamptz>,
        lead_hours -> Int4,
        why -> Text,
    }
}

diesel::table! {
    rows (tenant_id, record_id, list, key) {
        tenant_id -> Uuid,
        record_id -> Uuid,
        list -> Text,
        key -> Text,
        at -> Timestamptz,
        person_id -> Nullable<Uuid>,
        body -> Jsonb,
        created_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
    }
}

diesel::table! {
    sessions (id) {
        id -> Uuid,
        user_id -> Uuid,
        refresh_hash -> Bytea,
        previous_hash -> Nullable<Bytea>,
        successor_salt -> Nullable<Bytea>,
        rotated_at -> Timestamptz,
        idle_until -> Timestamptz,
        expires_at -> Timestamptz,
        revoked_at -> Nullable<Timestamptz>,
        revoked_because -> Nullable<Text>,
        user_agent -> Nullable<Text>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    settings (tenant_id) {
        tenant_id -> Uuid,
        version -> Int4,
        body -> Jsonb,
    }
}

diesel::table! {
    shares (tenant_id, record_id, person_id) {
        tenant_id -> Uuid,
        record_id -> Uuid,
        person_id -> Uuid,
        until -> Date,
        created_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
    }
}

diesel::table! {
    tenants (id) {
        id -> Uuid,
        consultancy_id -> Nullable<Uuid>,
        name -> Text,
        sector -> Nullable<Text>,
        size -> Nullable<Int4>,
        country -> Nullable<Text>,
        time_zone -> Text,
        locale -> Text,
        stage -> Text,
        version -> Int4,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    users (id) {
        id -> Uuid,
        email -> Text,
        name -> Text,
        password_hash -> Text,
        locale -> Text,
        time_zone -> Text,
        notify_by_mail -> Bool,
        version -> Int4,
        disabled_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    versions (tenant_id, record_id, number) {
        tenant_id -> Uuid,
        record_id -> Uuid,
        number -> Int4,
        title -> Text,
        body -> Jsonb,
        hash -> Bytea,
        record_version -> Int4,
        approved_by -> Uuid,
        approved_at -> Timestamptz,
        links -> Jsonb,
        children -> Jsonb,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    chains,
    comments,
    consultancies,
    consultancy_members,
    counters,
    deadlines,
    engagements,
    events,
    idempotency_keys,
    invitations,
    kind_statuses,
    links,
    memberships,
    outbox,
    people,
    records,
    reminders,
    rows,
    sessions,
    settings,
    shares,
    tenants,
    users,
    versions,
);

diesel::joinable!(memberships -> tenants (tenant_id));
diesel::joinable!(memberships -> engagements (engagement_id));
diesel::joinable!(sessions -> users (user_id));
