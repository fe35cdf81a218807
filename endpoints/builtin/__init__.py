"""The embedded model: rules that write and judge questions, and the server they answer through."""
