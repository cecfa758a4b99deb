"""From a person's change to its embedding, on the whole stack."""

import json

from tests.e2e.conftest import Office, until


async def test_a_new_picture_is_embedded_by_a_job_that_nobody_had_to_start(office: Office):
    claims = {"sub": office.user["id"], "role": "authenticated", "app_metadata": {"role": "marketing"}}
    async with office.connection.transaction():
        await office.connection.execute("select set_config('request.jwt.claims', %s, true)", (json.dumps(claims),))
        await office.connection.execute("set local role authenticated")
        await office.connection.execute(
            "insert into public.company_assets (type, description, url)"
            " values ('team', 'Equipe de afiação. Três pessoas.', 'https://x.test/afiacao.png')"
        )
    [job] = await office.rows("select id, user_id::text from public.jobs where kind = 'index_assets'")
    assert job["user_id"] == office.user["id"]
    found = await office.rows("select title from public.search_assets('equipe de afiacao', max_hits => 1)")
    assert found == [{"title": "Equipe de afiação"}], "by its words at once"

    assert (await office.ended(job["id"]))["status"] == "completed"

    async def all_embedded() -> bool:
        waiting = await office.rows("select from public.asset_index where embedding is null")
        return not waiting

    await until(all_embedded)
    [booked] = await office.rows(
        "select count(*), sum(cost_usd) as cost_usd from public.model_calls where job_id = %s", job["id"]
    )
    assert booked["count"] == 1
    assert booked["cost_usd"] > 0
