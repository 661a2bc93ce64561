"""The tasks of the bot, a module each; see :mod:`serving.bot.task`."""
