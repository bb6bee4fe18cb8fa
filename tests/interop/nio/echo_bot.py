"""A bot, as its author would try it:

    skerry exec --users alice@alpha,bob@bravo --room -- python3 echo_bot.py

bob is the bot, on another server than alice, who asks it something.
"""

import asyncio
import os

from nio import RoomMessageText

from people import Person


async def main():
    room_id = os.environ["SKERRY_ROOM_ID"]
    async with Person("alice") as alice, Person("bob") as bot:

        async def answer(room, event):
            if event.body.startswith("!echo "):
                await bot.says(room.room_id, f"{event.sender} says {event.body[6:]}")

        bot.client.add_event_callback(answer, RoomMessageText)
        await alice.says(room_id, "!echo is there anybody?")
        heard = await alice.hears(room_id, f"{alice.id} says is there anybody?")
        assert heard.sender == os.environ["SKERRY_BOB_USER_ID"]
        print(f"{heard.sender} answers: {heard.body}")


asyncio.run(main())
